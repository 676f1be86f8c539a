"""BYOL in plain PyTorch."""
