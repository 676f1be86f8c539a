"""`kedro results`: the runs of an environment, what differs between two of them, and removing old ones."""
