"""Classifiers on frozen features, and how they are judged."""
