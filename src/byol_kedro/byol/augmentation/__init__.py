"""The random views of BYOL."""
