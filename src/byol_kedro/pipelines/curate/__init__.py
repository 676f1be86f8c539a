"""Pipeline curate: images that are duplicates, outliers, mislabeled, empty, dark, blurred or tiny."""

from byol_kedro.pipelines.curate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
