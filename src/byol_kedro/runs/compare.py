"""Compare two runs: parameters that differ, and significance tests of their results."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from byol_kedro.datasets.provenance import Provenance
from byol_kedro.evaluation.metrics import percent
from byol_kedro.evaluation.significance import LEVEL, holm, mcnemar, two_proportions, wilson_trials
from byol_kedro.pipelines.report.table import classifier, signed
from byol_kedro.runs.history import Catalog, Run, Score, encoder_header, versioned_entries
from byol_kedro.runs.versions import path_of_version

PREDICTIONS = "predictions"
METRICS = "probe_metrics"
ABSENT = "–"
Key = tuple[str, str, str]
Predictions = Mapping[Key, pd.DataFrame]
DIFFERENT_IMAGES = "A and B were tested on different images, so differences are not due to the encoders alone."


@dataclass(frozen=True)
class Difference:
    """A value that differs between two runs, as text."""

    name: str
    a: str
    b: str


@dataclass(frozen=True)
class Row:
    """One row of the results. `p` is Holm-adjusted over all tested rows, None if this row was not tested.

    Rows that both runs have are tested, unless both runs are right on the same images: such a test cannot be
    significant at any level, so it is not counted (Westfall, Troendle, Pennello, Biometrics 66 (2010), 1185-1191).
    """

    key: Key
    a: Score | None
    b: Score | None
    p: float | None
    test: str

    @property
    def points(self) -> float | None:
        """Top-1 of B minus that of A, in percentage points."""
        return 100 * (self.b.top1 - self.a.top1) if self.a and self.b else None

    @property
    def verdict(self) -> str:
        """The result of the test as text."""
        if self.p is None:
            return "right on the same images" if self.a and self.b else "only in A" if self.a else "only in B"
        p = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3g}"
        return f"{'more than' if self.p < LEVEL else 'within'} noise ({p}, {self.test})"


def differences(a: Run, b: Run, catalog: Catalog) -> list[Difference]:
    """Return the differences in parameters, versions that were read, git revision and packages.

    `pretrain` is what the two encoders were trained with, if known for both.
    """
    trainings = [_training(run, catalog) for run in (a, b)]
    one, two = (
        dict(_values(run, training if all(trainings) else {})) for run, training in zip((a, b), trainings, strict=True)
    )
    names = [*one, *(name for name in two if name not in one)]
    return [
        Difference(name, one.get(name, ABSENT), two.get(name, ABSENT))
        for name in names
        if one.get(name) != two.get(name)
    ]


def different_test_images(a: Run, b: Run, catalog: Catalog) -> bool:
    """Return whether the two runs are known to have been tested on different images."""
    known = {_images(run, catalog) for run in (a, b)}
    return len(known) > 1 and "" not in known


def compare_rows(a: Run, b: Run, catalog: Catalog) -> list[Row]:
    """Return every measured row of either run, with a test if both runs have it.

    McNemar's test on paired predictions if both runs have predictions of the same images (pixels, names and labels),
    else a z-test of two proportions, as for two independent sets of images.
    """
    images = _images(a, catalog)
    # Different images may have equal names: patches of photographs depend on the seed.
    same = bool(images) and images == _images(b, catalog)
    predictions_a, predictions_b = (_predictions(run, catalog) if same else {} for run in (a, b))
    tests = {
        key: test
        for key in a.scores
        if key in b.scores
        and (test := _test(a.scores[key], b.scores[key], predictions_a.get(key), predictions_b.get(key))) is not None
    }  # (p, name of the test)
    adjusted = holm([p for p, _ in tests.values()])
    tested = {key: (p, name) for p, (key, (_, name)) in zip(adjusted, tests.items(), strict=True)}
    keys = [*a.scores, *(key for key in b.scores if key not in a.scores)]
    return [Row(key, a.scores.get(key), b.scores.get(key), *tested.get(key, (None, ""))) for key in keys]


def _training(run: Run, catalog: Catalog) -> Mapping[str, Any]:
    """Return what the run's encoder was trained with; empty if unknown."""
    header = encoder_header(run, catalog)
    if header:
        return dict(json.loads(header.get("training", "{}")))
    return run.manifest.get("parameters", {}).get("pretrain", {}) if run.trains else {}


def _values(run: Run, training: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield everything in the manifest that results depend on, as dotted names and text; `pretrain` is `training`."""
    manifest = run.manifest
    yield from _flatten({**manifest.get("parameters", {}), "pretrain": training}, "")
    for name, version in run.reads.items():
        yield f"{name} (read)", version
    git = manifest.get("git", {})
    if git:
        yield "git revision", git["revision"][:12] + (" with changes" if git["dirty"] else "")
    yield from manifest.get("packages", {}).items()
    if "python" in manifest:
        yield "python", manifest["python"]


def _flatten(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and (value or not name):
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, str(value)


def _images(run: Run, catalog: Catalog) -> str:
    """Return the fingerprint of the run's test images; empty if unknown."""
    version = run.reads.get(METRICS, run.run_id)
    if not path_of_version(versioned_entries(catalog)[METRICS], version).is_file():
        return ""
    return Provenance.from_header(catalog.load(METRICS, version=version)).data_fingerprint


def _predictions(run: Run, catalog: Catalog) -> Predictions:
    """Return a table (truth, guess) by image name for each row; empty if the predictions were removed."""
    if not path_of_version(versioned_entries(catalog)[PREDICTIONS], run.run_id).is_file():
        return {}
    table = catalog.load(PREDICTIONS, version=run.run_id)
    groups = table.groupby(["features", "classifier", "protocol"], sort=False)
    return {key: rows.set_index("name")[["truth", "guess"]].sort_index() for key, rows in groups}


def _test(
    a: Score, b: Score, predictions_a: pd.DataFrame | None, predictions_b: pd.DataFrame | None
) -> tuple[float, str] | None:
    """Return the p-value and the name of the test; None if both runs are right on the same images."""
    if (
        predictions_a is not None
        and predictions_b is not None
        and predictions_a["truth"].equals(predictions_b["truth"])
    ):
        right_a, right_b = (table["truth"] == table["guess"] for table in (predictions_a, predictions_b))
        return None if right_a.equals(right_b) else (mcnemar(right_a, right_b), "McNemar")
    n_a, n_b = (wilson_trials(score.top1, score.ci_low, score.ci_high) for score in (a, b))
    return two_proportions(a.top1, n_a, b.top1, n_b), "z-test"


def format_diff(
    a: Run, b: Run, differences: Sequence[Difference], rows: Sequence[Row], *, others: bool
) -> Iterator[RenderableType]:
    """Yield the parts of the comparison: the runs, differences, rows and a note on the p-values.

    Args:
        a: the first run.
        b: the second run.
        differences: see `differences`.
        rows: see `compare_rows`.
        others: whether the runs were tested on different images.
    """
    for letter, run in (("A", a), ("B", b)):
        yield Text(f"{letter}  {run.run_id}")
        yield Padding(Text(run.command or "no manifest", overflow="fold"), (0, 0, 0, 3))
    yield _differences(differences) if differences else Text("\nNo parameter, package or revision differs.")
    empty = [f"{letter}: {run.description}" for letter, run in (("A", a), ("B", b)) if not run.scores]
    if empty:
        yield Text(f"\nNo rows to compare. {'; '.join(empty)}")
        return
    if others:
        yield Text(DIFFERENT_IMAGES)
    yield _rows(rows)
    yield Text(_note(rows))


def _differences(differences: Sequence[Difference]) -> Table:
    table = _table()
    for name in ("differs", "A", "B"):
        table.add_column(name, overflow="fold")
    for difference in differences:
        table.add_row(Text(difference.name), Text(difference.a), Text(difference.b))
    return table


def _rows(rows: Sequence[Row]) -> Table:
    table = _table()
    table.add_column("features\nclassifier", overflow="fold")
    for name in ("A", "B", "B − A\npoints"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("significant?", overflow="fold")
    for row in rows:
        features, kind, protocol = row.key
        points = "" if row.points is None else signed(row.points, "+")
        name = f"{features}\n{classifier({'classifier': kind, 'protocol': protocol})}"
        table.add_row(Text(name), _score(row.a), _score(row.b), points, Text(row.verdict))
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)


def _score(score: Score | None) -> str:
    return f"{percent(score.top1)} %\n{percent(score.ci_low)}–{percent(score.ci_high)}" if score else "–"


def _note(rows: Sequence[Row]) -> str:
    """Explain the p-values."""
    tests = [row.test for row in rows if row.test]
    if not tests:
        return "No row was tested: both runs are right on the same images."
    other = "z-test: of two proportions, because there are no predictions of both runs for the same images. "
    return (
        f"p-values are Holm-adjusted over the tested rows ({len(tests)}); below {LEVEL} is called more than noise. "
        f"{other if 'z-test' in tests else ''}Only the choice of test images is accounted for: results also vary with "
        "the seed, so one pair of runs does not show which recipe is better."
    )
