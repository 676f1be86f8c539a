"""What the tables call the features; those of pixels go on with how they were made."""

BYOL = "BYOL"
UNTRAINED = "untrained network"
PIXELS = "pixels"
