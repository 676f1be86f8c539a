"""The runs of an environment, from their manifests and results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.session import KedroSession
from kedro.io import AbstractVersionedDataset, CatalogProtocol, DatasetError

from byol_kedro.errors import UserError
from byol_kedro.files.integrity import DamagedError
from byol_kedro.files.masking import masked_values
from byol_kedro.log import Brief, get_logger
from byol_kedro.pipelines.report.results import measured
from byol_kedro.runs.command_line import kedro
from byol_kedro.runs.user_errors import causes
from byol_kedro.runs.versions import (
    MANIFEST,
    display_folder,
    entry_folder,
    path_of_version,
    versioned,
    warn_of_ignored_folders,
)

RESULTS, ENCODER, PREDICTED = "results", "encoder", "predicted_images"
COMPLETE, PREDICTIONS = "complete", "predictions"
UNMADE = NO_RESULTS, NO_PREDICTIONS, NO_ENCODER = "no results", "no predictions", "no encoder"
SEE = "list them with kedro results"
Catalog = CatalogProtocol[Any, Any]
Versioned = AbstractVersionedDataset[Any, Any]
log = get_logger(__name__)


@dataclass(frozen=True)
class Score:
    """Top-1 and the bounds of its 95 % Wilson interval, as fractions."""

    top1: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, eq=False, repr=False)
class Run(Brief):
    """One run.

    Attributes:
        run_id: the version of all its outputs.
        manifest: empty if it is missing.
        results: None if they are missing.
        made: which of encoder and predicted_images exist in the version of this run.
        damaged: which of run_manifest and results exist but cannot be read.
    """

    run_id: str
    manifest: Mapping[str, Any]
    results: pd.DataFrame | None
    made: frozenset[str]
    damaged: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the run has results; without labels these have no top-1."""
        return self.results is not None

    @property
    def writes(self) -> frozenset[str]:
        """The entries that the run should write; `made` and `results` contain what it has written."""
        return frozenset(self.manifest.get("writes", ()))

    @property
    def trains(self) -> bool:
        """Whether the run should train an encoder, and not import one."""
        return ENCODER in self.writes and "import_encoder" not in self.manifest.get("pipelines", ())

    @property
    def state(self) -> str:
        """The state of the run as text."""
        if self.damaged:
            return f"damaged {' and '.join(self.damaged)}"
        if self.complete:
            return COMPLETE if self.scores else "no top-1"
        if RESULTS in self.writes:
            return NO_RESULTS
        if PREDICTED in self.writes:
            return PREDICTIONS if PREDICTED in self.made else NO_PREDICTIONS
        if ENCODER in self.writes and ENCODER not in self.made:
            return NO_ENCODER
        return f"only {','.join(self.manifest['pipelines'])}"

    @property
    def predict_root(self) -> str:
        """The folder with the predicted images; empty if the run has no predictions."""
        return str(self.manifest["parameters"]["predict_root"]) if self.state == PREDICTIONS else ""

    @property
    def description(self) -> str:
        """The state, for predictions with their folder."""
        return f"{self.state} of {self.predict_root}" if self.predict_root else self.state

    @property
    def command(self) -> str:
        """The command of the run; empty if unknown."""
        return str(self.manifest.get("command", ""))

    @property
    def reads(self) -> dict[str, str]:
        """The version of each entry that the run read and did not write."""
        return {name: read["version"] for name, read in self.manifest.get("reads", {}).items()}

    @cached_property
    def scores(self) -> dict[tuple[str, str, str], Score]:
        """The scores of the measured rows by (features, classifier, protocol)."""
        if self.results is None:
            return {}
        return {
            (row["features"], row["classifier"], row["protocol"]): Score(row["top1"], row["ci_low"], row["ci_high"])
            for row in measured(self.results).to_dict("records")
        }

    @property
    def encoder(self) -> str:
        """The version of the encoder that the run wrote or read; empty if there is none."""
        return self.reads.get(ENCODER, self.run_id if ENCODER in self.made else "")


def open_catalog(session_options: Mapping[str, Any]) -> Catalog:
    """Return the catalog for `env`, `conf_source` and `runtime_params`, as for `kedro run`. Imports no pipeline.

    Raises:
        UserError: the parameters are invalid.
        MissingConfigException: the environment does not exist; `print_user_errors` lists those that exist.
    """
    names = ("env", "conf_source", "runtime_params")
    session = KedroSession.create(**{name: session_options[name] for name in names})
    context = session.load_context()
    # Validating the parameters of the pipelines would import torch.
    context._pipelines_to_validate = []  # noqa: SLF001  (set by KedroSession.run, no public setter)
    catalog: Catalog = context.catalog
    return catalog


def versioned_entries(catalog: Catalog) -> dict[str, Versioned]:
    """Return every versioned entry of the catalog."""
    return versioned([name for name in catalog if not name.startswith(("parameters", "params:"))], catalog)


def data_root(catalog: Catalog) -> Path:
    """Return the folder of all artifacts of an environment."""
    return entry_folder(versioned_entries(catalog)[MANIFEST]).parents[1]


def list_runs(catalog: Catalog) -> list[Run]:
    """Return all runs, newest first. A run is a version of `run_manifest` or `results`; damaged ones are logged.

    Raises:
        UserError: there are no runs.
    """
    entries = versioned_entries(catalog)
    versions = {
        name: set(entries[name].list_versions(full_path=False)) for name in (MANIFEST, RESULTS, ENCODER, PREDICTED)
    }
    warn_of_ignored_folders(entries.values())
    manifests, results = versions[MANIFEST], versions[RESULTS]
    if not manifests | results:
        command = kedro("run", {})
        raise UserError(
            f"no runs yet: nothing in {display_folder(entries[MANIFEST])}; make one with {command} (--env=…)"
        )
    return [_run(run_id, catalog, versions) for run_id in sorted(manifests | results, reverse=True)]


def _run(run_id: str, catalog: Catalog, versions: Mapping[str, set[str]]) -> Run:
    existing = [entry for entry in (MANIFEST, RESULTS) if run_id in versions[entry]]
    loaded = {entry: _load_intact(entry, run_id, catalog) for entry in existing}
    damaged = tuple(entry for entry in existing if loaded[entry] is None)
    made = frozenset(entry for entry in (ENCODER, PREDICTED) if run_id in versions[entry])
    return Run(run_id, masked_values(loaded.get(MANIFEST) or {}), loaded.get(RESULTS), made, damaged)


def _load_intact(entry: str, version: str, catalog: Catalog) -> Any:
    """Load a version of an entry; None, with a warning, if it is damaged."""
    try:
        return catalog.load(entry, version=version)
    except DatasetError as error:
        damage = next((cause for cause in causes(error) if isinstance(cause, DamagedError)), None)
        if damage is None:
            raise
        log.warning("%s", damage)
        return None


def encoder_header(run: Run, catalog: Catalog) -> Mapping[str, str]:
    """Return the header of the run's encoder; empty if it is missing or, with a warning, damaged."""
    if not run.encoder or not path_of_version(versioned_entries(catalog)[ENCODER], run.encoder).exists():
        return {}
    encoder = _load_intact(ENCODER, run.encoder, catalog)
    header: dict[str, str] = {} if encoder is None else encoder.header
    return header


def find_run(name: str, runs: Sequence[Run]) -> Run:
    """Return the run that `name` means.

    Args:
        name: a run_id, the beginning of one, `latest` or `previous` (of the complete runs).
        runs: all runs, newest first.

    Raises:
        UserError: no run or several match.
    """
    position = {"latest": 0, "previous": 1}.get(name)
    if position is not None:
        complete = [run for run in runs if run.complete]
        if len(complete) <= position:
            found = f"{complete[0].run_id} is the only complete run" if complete else "no run is complete"
            more = "another" if complete else "one"
            raise UserError(f"{name}: {found}; make {more} or give a run_id; {SEE}")
        return complete[position]
    matches = [run for run in runs if run.run_id.startswith(name)]
    exact = [run for run in matches if run.run_id == name]
    if len(exact or matches) != 1:
        raise UserError(_not_one(name, matches, runs))
    return (exact or matches)[0]


def _not_one(name: str, found: Sequence[Run], runs: Sequence[Run]) -> str:
    ids = [run.run_id for run in found or runs]
    shown = ", ".join(ids[:3]) + (" …" if len(ids) > 3 else "")
    if found:
        return f"{name}: {len(found)} runs match: {shown}; give more of the run_id"
    return f"{name}: there is no such run; newest runs: {shown}; {SEE}"
