"""`kedro export`: writes an encoder for other programs and verifies its features before the file is saved."""
