"""Raw images into uint8 arrays with labels, names and a fingerprint; a look at what came in."""

from byol_kedro.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
