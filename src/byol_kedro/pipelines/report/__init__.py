"""Metrics in, results table, figures and one page out."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
