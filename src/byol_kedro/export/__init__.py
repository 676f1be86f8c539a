"""What `kedro export` writes: an encoder for other programs, checked against ours before it is there."""
