"""import_encoder: an encoder that was trained elsewhere, as an artifact of this project."""

from byol_kedro.pipelines.import_encoder.pipeline import create_pipeline

__all__ = ["create_pipeline"]
