"""Probes: classifiers on frozen features, and their evaluation."""
