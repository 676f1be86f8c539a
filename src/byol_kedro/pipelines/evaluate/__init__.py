"""All that is said about an encoder: extract, baselines, probes, latent and report, in one run."""

from kedro.pipeline import Pipeline

from byol_kedro.pipelines import baselines, extract, pair_model, probes, report


def create_pipeline() -> Pipeline:
    """The evaluation of the newest (or pinned) encoder."""
    parts = (extract, baselines, probes, pair_model, report)
    return sum((part.create_pipeline() for part in parts), Pipeline([]))
