"""Image features learned without labels, and an honest account of how good they are."""

__version__ = "0.1.0"
