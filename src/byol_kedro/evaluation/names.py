"""Names of features in tables and figures."""

BYOL = "BYOL"
UNTRAINED = "untrained network"
SUPERVISED = "supervised, from scratch"
PIXELS = "pixels"  # followed by how the pixels were reduced
