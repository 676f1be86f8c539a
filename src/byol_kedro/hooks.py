"""What happens around every run: the manifest is written, the results are shown.

What the hooks call is imported where it is called: `kedro run --help` and `kedro registry list` need none of it.
"""
# ruff: noqa: PLC0415

from contextlib import suppress
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node


class ProjectHooks:
    """Keeps nothing between two calls: Kedro has one such object for all runs of a process.

    What a hook needs to know of its run is in the catalog, which is the run's own.
    """

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Write down what the run is and what it reads, before its first node."""
        from byol_kedro.evaluation.blas import one_blas_thread
        from byol_kedro.runs.lineage import check_lineage
        from byol_kedro.runs.manifest import run_manifest
        from byol_kedro.runs.pins import pin_what_belongs_together, refuse_pinned_outputs, warn_of_pins_without_effect
        from byol_kedro.runs.reuse import nodes_that_run
        from byol_kedro.runs.runners import refuse_processes
        from byol_kedro.runs.validation import parameters_of, warn_of_what_has_no_effect, with_conf_source
        from byol_kedro.runs.versions import MANIFEST, reserve_version, versions_read

        one_blas_thread()
        refuse_processes(catalog)
        run_params, parameters = with_conf_source(run_params, catalog), parameters_of(catalog)
        reused: dict[str, str] = {}
        if run_params["only_missing_outputs"]:
            pipeline, reused = nodes_that_run(pipeline, catalog)
            if not pipeline.nodes:
                return
        refuse_pinned_outputs(run_params["load_versions"] or {}, pipeline)
        inputs = pipeline.inputs()
        # What later nodes would refuse, when the images have been read or the encoder has been trained.
        if "params:device" in inputs:
            from byol_kedro.byol.device import resolve_device

            resolve_device(parameters.device)
        if "params:references" in inputs:
            from byol_kedro.pipelines.extract.references import check_references

            check_references(parameters.references)
        if "params:pair_model" in inputs:
            from byol_kedro.pipelines.pair_model.inputs import check_pair_model

            check_pair_model(parameters, with_references="params:references" in inputs)
        pin_what_belongs_together(pipeline, catalog)
        reads = reused | versions_read(pipeline, catalog, run_params)
        check_lineage(reads, catalog)
        if "encoder" in pipeline.all_outputs():
            self._check_training(parameters, pipeline, catalog)
        warn_of_what_has_no_effect(run_params["runtime_params"] or {}, pipeline.inputs())
        warn_of_pins_without_effect(run_params["load_versions"] or {}, pipeline, catalog)
        folder, run_id = reserve_version(run_params["run_id"], pipeline, catalog)
        try:
            manifest = run_manifest({**run_params, "run_id": run_id}, pipeline, parameters, reads, catalog)
            self._load_own([MANIFEST], catalog)
            catalog.save(MANIFEST, manifest)
        except BaseException:
            with suppress(OSError):
                folder.rmdir()
            raise
        if "encoder" in pipeline.all_outputs():
            from byol_kedro.pipelines.pretrain.checkpointing import catch_signals

            catch_signals()  # here is the main thread, the training may run in another one

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol[Any, Any]) -> None:
        """Read back what this run writes: the newest may be of a run beside it that began later."""
        self._load_own(node.outputs, catalog)

    @hook_impl
    def on_pipeline_error(self, error: Exception, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Leave no half of what a node writes, and no trace of a mistake."""
        from byol_kedro.runs.cleanup import clean_up

        self._release_signals(pipeline)
        clean_up(error, pipeline, catalog)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """End with what the run has saved, and where."""
        from byol_kedro.runs.summary import show_end

        self._release_signals(pipeline)
        show_end(catalog, self._predict_command(run_params, catalog))

    def _check_training(self, parameters: Any, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Check everything that the training and the pair model after it would refuse."""
        from byol_kedro.pipelines.pretrain.check import check_training

        features, inputs = check_training(parameters, pipeline, catalog), pipeline.inputs()
        if "params:pair_model" in inputs:
            from byol_kedro.pipelines.pair_model.inputs import check_feature_dim

            names = ("pair_file", "pair_tensors")
            given = tuple(map(catalog.load, names)) if inputs >= set(names) else None
            check_feature_dim(parameters.pair_model, features, given)

    def _release_signals(self, pipeline: Pipeline) -> None:
        if "encoder" in pipeline.all_outputs():
            from byol_kedro.pipelines.pretrain.checkpointing import release_signals

            release_signals()

    def _load_own(self, names: list[str], catalog: CatalogProtocol[Any, Any]) -> None:
        """Let the run load its own versions of the entries `names`."""
        from byol_kedro.runs.versions import pin, versioned

        for dataset in versioned(names, catalog).values():
            pin(dataset, str(dataset.resolve_save_version()))

    def _predict_command(self, run_params: dict[str, Any], catalog: CatalogProtocol[Any, Any]) -> str:
        """What asks the encoder of this run about the images of a folder."""
        from byol_kedro.runs.command_line import kedro_run
        from byol_kedro.runs.pins import ENCODER
        from byol_kedro.runs.validation import parameters_of, with_conf_source

        parameters = parameters_of(catalog)
        params = {"predict_root": parameters.raw_root if parameters.source == "folder" else "FOLDER"}
        typed = run_params["runtime_params"] or {}
        if "data_root" in typed:
            params = {"data_root": typed["data_root"], **params}
        # The newest probes are now those of the encoder that was asked for, and refuse the newest one.
        load_versions = run_params["load_versions"] or {}
        pins = {name: version for name, version in load_versions.items() if name == ENCODER}
        place = {**with_conf_source(run_params, catalog), "runtime_params": params}
        return kedro_run(["predict"], place, **pins)
