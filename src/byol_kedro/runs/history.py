"""The runs of an environment, as their manifests and results tell of them."""

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
from byol_kedro.runs.versions import MANIFEST, entry_folder, folder, path_of_version, tell_other_names, versioned

RESULTS, ENCODER, PREDICTED = "results", "encoder", "predicted_images"
COMPLETE, PREDICTIONS = "complete", "predictions"
UNMADE = NO_RESULTS, NO_PREDICTIONS, NO_ENCODER = "no results", "no predictions", "no encoder"
SEE = "the command results lists them"
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
    """One run. `manifest` is empty where it is gone; `results` is None where there are none.

    `made` has those of encoder and predicted_images of which there is a version of this run; `damaged` those of
    run_manifest and results which are there but cannot be read.
    """

    run_id: str
    manifest: Mapping[str, Any]
    results: pd.DataFrame | None
    made: frozenset[str]
    damaged: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether there are results, with numbers or, for want of labels, without."""
        return self.results is not None

    @property
    def writes(self) -> frozenset[str]:
        """The entries that the run was to write; what it did write, `made` and `results` tell of."""
        return frozenset(self.manifest.get("writes", ()))

    @property
    def state(self) -> str:
        """What there is of the run, in words, beside what it was to write."""
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
        """The folder that the run's predictions are of; empty where it is no run of predictions."""
        return str(self.manifest["parameters"]["predict_root"]) if self.state == PREDICTIONS else ""

    @property
    def told(self) -> str:
        """The state as people read it: of predictions with their folder."""
        return f"{self.state} of {self.predict_root}" if self.predict_root else self.state

    @property
    def command(self) -> str:
        return str(self.manifest.get("command", ""))

    @property
    def reads(self) -> dict[str, str]:
        """Entry → version of everything that the run read and did not write."""
        return {name: read["version"] for name, read in self.manifest.get("reads", {}).items()}

    @cached_property
    def scores(self) -> dict[tuple[str, str, str], Score]:
        """(features, classifier, protocol) → score, of the rows that were measured, in their order."""
        if self.results is None:
            return {}
        return {
            (row["features"], row["classifier"], row["protocol"]): Score(row["top1"], row["ci_low"], row["ci_high"])
            for row in measured(self.results).to_dict("records")
        }

    @property
    def encoder(self) -> str:
        """The version of the encoder that the run made or read; empty where it had none."""
        return self.reads.get(ENCODER, self.run_id if ENCODER in self.made else "")


def open_catalog(place: Mapping[str, Any]) -> Catalog:
    """The catalog of `env`, `conf_source` and `runtime_params` in `place`, as for `kedro run`. Imports no pipeline.

    Raises:
        UserError: the parameters are wrong.
        MissingConfigException: there is no such environment; `one_line` says which there are.
    """
    names = ("env", "conf_source", "runtime_params")
    session = KedroSession.create(**{name: place[name] for name in names})
    context = session.load_context()
    # A catalog for reading needs no check of the pipelines' parameters, which would import torch.
    context._pipelines_to_validate = []  # noqa: SLF001  (as KedroSession.run does, there is no public name)
    catalog: Catalog = context.catalog
    return catalog


def versioned_entries(catalog: Catalog) -> dict[str, Versioned]:
    """Every versioned entry of the catalog."""
    return versioned([name for name in catalog if not name.startswith(("parameters", "params:"))], catalog)


def data_root(catalog: Catalog) -> Path:
    """The folder that the artifacts of an environment lie under."""
    return entry_folder(versioned_entries(catalog)[MANIFEST]).parents[1]


def list_runs(catalog: Catalog) -> list[Run]:
    """All runs, newest first: every version of `run_manifest` or `results`; a line for each that is damaged.

    Raises:
        UserError: there are none.
    """
    entries = versioned_entries(catalog)
    versions = {
        name: set(entries[name].list_versions(full_path=False)) for name in (MANIFEST, RESULTS, ENCODER, PREDICTED)
    }
    tell_other_names(entries.values())
    manifests, results = versions[MANIFEST], versions[RESULTS]
    if not manifests | results:
        command = kedro("run", {})
        raise UserError(f"no runs yet: nothing in {folder(entries[MANIFEST])}; make one with {command} (--env=…)")
    return [_run(run_id, catalog, versions) for run_id in sorted(manifests | results, reverse=True)]


def _run(run_id: str, catalog: Catalog, versions: Mapping[str, set[str]]) -> Run:
    there = [entry for entry in (MANIFEST, RESULTS) if run_id in versions[entry]]
    loaded = {entry: _whole(entry, run_id, catalog) for entry in there}
    damaged = tuple(entry for entry in there if loaded[entry] is None)
    made = frozenset(entry for entry in (ENCODER, PREDICTED) if run_id in versions[entry])
    return Run(run_id, masked_values(loaded.get(MANIFEST) or {}), loaded.get(RESULTS), made, damaged)


def _whole(entry: str, version: str, catalog: Catalog) -> Any:
    """A version of an entry; None, with a line, where it is damaged."""
    try:
        return catalog.load(entry, version=version)
    except DatasetError as error:
        damage = next((cause for cause in causes(error) if isinstance(cause, DamagedError)), None)
        if damage is None:
            raise
        log.warning("%s", damage)
        return None


def encoder_header(run: Run, catalog: Catalog) -> Mapping[str, str]:
    """The header of the run's encoder; empty where it had none, or where that is gone or, with a line, damaged."""
    if not run.encoder or not path_of_version(versioned_entries(catalog)[ENCODER], run.encoder).exists():
        return {}
    encoder = _whole(ENCODER, run.encoder, catalog)
    header: dict[str, str] = {} if encoder is None else encoder.header
    return header


def find_run(name: str, runs: Sequence[Run]) -> Run:
    """The run that `name` means: a run_id, the beginning of one, `latest` or `previous` (of the complete ones).

    Raises:
        UserError: no run or several are meant.
    """
    place = {"latest": 0, "previous": 1}.get(name)
    if place is not None:
        complete = [run for run in runs if run.complete]
        if len(complete) <= place:
            there = f"{complete[0].run_id} is the only complete run" if complete else "no run is complete"
            more = "another" if complete else "one"
            raise UserError(f"{name}: {there}; make {more}, or name a run_id; {SEE}")
        return complete[place]
    found = [run for run in runs if run.run_id.startswith(name)]
    exact = [run for run in found if run.run_id == name]
    if len(exact or found) != 1:
        raise UserError(_not_one(name, found, runs))
    return (exact or found)[0]


def _not_one(name: str, found: Sequence[Run], runs: Sequence[Run]) -> str:
    ids = [run.run_id for run in found or runs]
    shown = ", ".join(ids[:3]) + (" …" if len(ids) > 3 else "")
    if found:
        return f"{name}: {len(found)} runs begin so: {shown}; give more of the run_id"
    return f"{name}: there is no such run; the newest: {shown}; {SEE}"
