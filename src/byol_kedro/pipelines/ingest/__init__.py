"""Converts raw images to uint8 arrays with labels, names and a fingerprint, and summarizes them."""

from byol_kedro.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
