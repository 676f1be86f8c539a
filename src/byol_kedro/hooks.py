"""Kedro hooks: check a run before it starts, write its manifest, clean up after errors and print a summary.

Imports are inside the hooks, because `kedro run --help` and `kedro registry list` do not need them.
"""
# ruff: noqa: PLC0415

from contextlib import suppress
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

TRAINED = "byol_heads"  # written by a training alone, and not by the import of an encoder


class ProjectHooks:
    """The hooks of this project.

    The object has no state, because Kedro shares it between all runs of a process. What a hook needs to know about
    its run is in the run's catalog.
    """

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Check parameters, versions and inputs, then write the manifest."""
        from byol_kedro.evaluation.blas import one_blas_thread
        from byol_kedro.runs.lineage import check_lineage
        from byol_kedro.runs.manifest import run_manifest
        from byol_kedro.runs.pins import check_pins, pin_related_versions, warn_of_unused_pins
        from byol_kedro.runs.reuse import nodes_to_run
        from byol_kedro.runs.runners import limit_torch_threads, refuse_parallel_runner
        from byol_kedro.runs.validation import parameters_of, warn_of_unused_parameters, with_conf_source
        from byol_kedro.runs.versions import MANIFEST, reserve_version, versions_read

        one_blas_thread()
        refuse_parallel_runner(catalog)
        run_params, parameters = with_conf_source(run_params, catalog), parameters_of(catalog)
        reused: dict[str, str] = {}
        if run_params["only_missing_outputs"]:
            pipeline, reused = nodes_to_run(pipeline, catalog)
            if not pipeline.nodes:
                return
        check_pins(run_params["load_versions"] or {}, pipeline)
        inputs = pipeline.inputs()
        # Checked now, and not by later nodes after hours of training.
        if "params:device" in inputs:
            from byol_kedro.byol.device import resolve_device

            resolve_device(parameters.device)
            limit_torch_threads()
        self._check_weights(parameters, inputs, catalog)
        if "params:pair_model" in inputs:
            from byol_kedro.pipelines.pair_model.inputs import check_pair_model

            check_pair_model(parameters, with_references="params:references" in inputs)
        pin_related_versions(pipeline, catalog)
        reads = reused | versions_read(pipeline, catalog, run_params)
        check_lineage(reads, catalog)
        trains = TRAINED in pipeline.all_outputs()
        if trains:
            self._check_training(parameters, pipeline, catalog)
        warn_of_unused_parameters(run_params["runtime_params"] or {}, pipeline.inputs())
        warn_of_unused_pins(run_params["load_versions"] or {}, pipeline, catalog)
        folder, run_id = reserve_version(run_params["run_id"], pipeline, catalog)
        try:
            manifest = run_manifest({**run_params, "run_id": run_id}, pipeline, parameters, reads, catalog)
            self._pin_saved([MANIFEST], catalog)
            catalog.save(MANIFEST, manifest)
        except BaseException:
            with suppress(OSError):
                folder.rmdir()
            raise
        if trains:
            from byol_kedro.pipelines.pretrain.checkpointing import catch_signals

            catch_signals()  # only possible in the main thread; the training may run in another one

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol[Any, Any]) -> None:
        """Let later nodes read the versions of this run, even if a parallel run has saved newer ones."""
        self._pin_saved(node.outputs, catalog)

    @hook_impl
    def on_pipeline_error(self, error: Exception, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Remove partial outputs of the failed run."""
        from byol_kedro.runs.cleanup import clean_up

        self._release_signals(pipeline)
        clean_up(error, pipeline, catalog)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Print what the run has saved, and where."""
        from byol_kedro.runs.summary import print_summary

        self._release_signals(pipeline)
        print_summary(catalog, self._predict_command(run_params, catalog))

    def _check_training(self, parameters: Any, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Check everything that the training and the pair model after it would refuse."""
        from byol_kedro.pipelines.pretrain.check import check_training

        features = check_training(parameters, pipeline, catalog)
        self._check_pair_model(features, parameters, pipeline.inputs(), catalog)

    def _check_weights(self, parameters: Any, inputs: set[str], catalog: CatalogProtocol[Any, Any]) -> None:
        """Check the weights of other trainings: the references, and the encoder to import with its pair model."""
        if "params:references" in inputs:
            from byol_kedro.pipelines.extract.references import check_references

            check_references(parameters.references, parameters.import_encoder)
        if "params:encoder_from" in inputs:
            from byol_kedro.pipelines.import_encoder.nodes import read_source

            found = read_source(parameters.encoder_from, parameters.import_encoder, quiet=True)
            self._check_pair_model(found.header.feature_dim, parameters, inputs, catalog)

    def _check_pair_model(
        self, features: int, parameters: Any, inputs: set[str], catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Check what the pair model would refuse with an encoder of so many features."""
        if "params:pair_model" in inputs:
            from byol_kedro.pipelines.pair_model.inputs import check_feature_dim

            names = ("pair_file", "pair_tensors")
            given = tuple(map(catalog.load, names)) if inputs >= set(names) else None
            check_feature_dim(parameters.pair_model, features, given)

    def _release_signals(self, pipeline: Pipeline) -> None:
        if TRAINED in pipeline.all_outputs():
            from byol_kedro.pipelines.pretrain.checkpointing import release_signals

            release_signals()

    def _pin_saved(self, names: list[str], catalog: CatalogProtocol[Any, Any]) -> None:
        """Load the versions of this run for the entries `names`."""
        from byol_kedro.runs.versions import pin, versioned

        for dataset in versioned(names, catalog).values():
            pin(dataset, str(dataset.resolve_save_version()))

    def _predict_command(self, run_params: dict[str, Any], catalog: CatalogProtocol[Any, Any]) -> str:
        """Return the command that predicts a folder of images with the encoder of this run."""
        from byol_kedro.runs.command_line import kedro_run
        from byol_kedro.runs.pins import ENCODER
        from byol_kedro.runs.validation import parameters_of, with_conf_source

        parameters = parameters_of(catalog)
        is_folder = parameters.source == "folder" and "://" not in parameters.raw_root
        params = {"predict_root": parameters.raw_root if is_folder else "FOLDER"}
        runtime_params = run_params["runtime_params"] or {}
        if "data_root" in runtime_params:
            params = {"data_root": runtime_params["data_root"], **params}
        # The newest probes belong to the pinned encoder now and refuse a newer one.
        load_versions = run_params["load_versions"] or {}
        pins = {name: version for name, version in load_versions.items() if name == ENCODER}
        session_options = {**with_conf_source(run_params, catalog), "runtime_params": params}
        return kedro_run(["predict"], session_options, **pins)
