"""Every pipeline by name. An explicit list: a pipeline that cannot be imported is an error, never left out."""

from kedro.pipeline import Pipeline

from byol_kedro.pipelines import baselines, evaluate, extract, ingest, latent, pretrain, probes, report


def register_pipelines() -> dict[str, Pipeline]:
    """The project's pipelines; `__default__` goes from raw pictures to the report."""
    pipelines = {
        "ingest": ingest.create_pipeline(),
        "pretrain": pretrain.create_pipeline(),
        "extract": extract.create_pipeline(),
        "baselines": baselines.create_pipeline(),
        "probes": probes.create_pipeline(),
        "latent": latent.create_pipeline(),
        "report": report.create_pipeline(),
        "evaluate": evaluate.create_pipeline(),
    }
    pipelines["__default__"] = pipelines["ingest"] + pipelines["pretrain"] + pipelines["evaluate"]
    return pipelines
