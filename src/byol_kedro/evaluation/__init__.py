"""Evaluation of features: probes, metrics, significance tests, label-free quality measures."""
