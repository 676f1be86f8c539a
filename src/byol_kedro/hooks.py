"""What happens around every run: parameters are checked, the manifest is written, the results are shown.

What the hooks call is imported where it is called: `kedro run --help` and `kedro registry list` need none of it.
"""
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

if TYPE_CHECKING:
    from byol_kedro.parameters import Parameters


class ProjectHooks:
    """One object for one session: what an earlier hook saw, a later one needs."""

    def __init__(self) -> None:
        self._parameters: Parameters | None = None
        self._catalog: CatalogProtocol[Any, Any] | None = None
        self._load_versions: dict[str, str] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check all parameters before anything else, whichever pipeline was asked for."""
        from byol_kedro.validation import validated_parameters

        self._parameters = validated_parameters(context.config_loader)

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol[Any, Any], load_versions: dict[str, str] | None) -> None:
        self._catalog, self._load_versions = catalog, load_versions or {}

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Write down what the run is and what it reads, before its first node."""
        from byol_kedro.evaluation.blas import one_blas_thread
        from byol_kedro.manifest import run_manifest
        from byol_kedro.pins import pin_what_belongs_together, refuse_pinned_outputs
        from byol_kedro.runners import refuse_processes
        from byol_kedro.validation import warn_of_what_has_no_effect
        from byol_kedro.versions import MANIFEST, versions_read

        assert self._parameters is not None
        one_blas_thread()
        refuse_processes(catalog)
        refuse_pinned_outputs(self._load_versions, pipeline)
        if self._parameters.references and "params:references" in pipeline.inputs():
            from byol_kedro.pipelines.extract.references import check_references

            # Now, and not when the encoder has been trained.
            check_references(self._parameters.references)
        pin_what_belongs_together(pipeline, catalog)
        reads = versions_read(pipeline, catalog, run_params)
        if "encoder" in pipeline.all_outputs():
            from byol_kedro.pipelines.pretrain.check import check_training

            check_training(self._parameters, pipeline, catalog)
        warn_of_what_has_no_effect(run_params["runtime_params"] or {}, pipeline.inputs())
        self.before_dataset_saved(MANIFEST)
        catalog.save(MANIFEST, run_manifest(run_params, self._parameters, reads, catalog))

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Read back what this run writes: the newest may be of a run beside it that began later."""
        from byol_kedro.versions import pin, versioned

        assert self._catalog is not None
        for dataset in versioned([dataset_name], self._catalog).values():
            pin(dataset, str(dataset.resolve_save_version()))

    @hook_impl
    def on_pipeline_error(self, error: Exception, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Leave no half of what a node writes, and no trace of a mistake."""
        from byol_kedro.failed import clean_up

        clean_up(error, pipeline, catalog)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """End with the results table on the screen and the path of the report, or that of the answers."""
        if "results" in pipeline.all_outputs():
            from byol_kedro.screen import show_results

            show_results(catalog, self._predict_command(run_params))
        if "predicted_pictures" in pipeline.all_outputs():
            from byol_kedro.screen import show_path

            show_path("Predictions", "predicted_pictures", catalog)

    def _predict_command(self, run_params: dict[str, Any]) -> str:
        """What asks the encoder of this run about the pictures of a folder."""
        from byol_kedro.pins import ENCODER
        from byol_kedro.typed import kedro_run

        assert self._parameters is not None
        params = {"predict_root": self._parameters.raw_root if self._parameters.source == "folder" else "FOLDER"}
        typed = run_params["runtime_params"] or {}
        if "data_root" in typed:
            params = {"data_root": typed["data_root"], **params}
        # The newest probes are now those of the encoder that was asked for, and refuse the newest one.
        pins = {name: version for name, version in self._load_versions.items() if name == ENCODER}
        return kedro_run(["predict"], {**run_params, "runtime_params": params}, **pins)
