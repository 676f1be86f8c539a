"""What differs between two runs, and whether their numbers differ by more than noise."""

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

from byol_kedro.evaluation.metrics import percent
from byol_kedro.evaluation.significance import LEVEL, holm, mcnemar, two_proportions, wilson_trials
from byol_kedro.pipelines.report.table import classifier, signed
from byol_kedro.runs.history import ENCODER, Catalog, Run, Score, encoder_header, versioned_entries
from byol_kedro.runs.versions import path_of_version

PREDICTIONS = "predictions"
METRICS = "probe_metrics"
ABSENT = "–"
Key = tuple[str, str, str]
Guesses = Mapping[Key, pd.DataFrame]
OTHERS = "A and B were not tested on the same images: what differs says nothing about the encoders alone."


@dataclass(frozen=True)
class Difference:
    """A value that two runs do not share, as text."""

    name: str
    a: str
    b: str


@dataclass(frozen=True)
class Row:
    """One row of the results. `p` is Holm-adjusted over all rows that were tested, None where this one was not.

    Tested is what both runs have, unless they are right on the same images: that cannot be significant at any level,
    so it does not count among the tests (Westfall, Troendle, Pennello, Biometrics 66 (2010), 1185-1191).
    """

    key: Key
    a: Score | None
    b: Score | None
    p: float | None
    test: str

    @property
    def points(self) -> float | None:
        """How much higher B's top-1 is, in percentage points."""
        return 100 * (self.b.top1 - self.a.top1) if self.a and self.b else None

    @property
    def verdict(self) -> str:
        """In words, with the p-value and the test that it is of."""
        if self.p is None:
            return "right on the same images" if self.a and self.b else "only in A" if self.a else "only in B"
        p = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3g}"
        return f"{'more than' if self.p < LEVEL else 'within'} noise ({p}, {self.test})"


def differences(a: Run, b: Run, catalog: Catalog) -> list[Difference]:
    """Parameters by their dotted names, what was read, git revision and packages, where the runs differ.

    Those of `pretrain` are what the two encoders were trained with, where that is known of both.
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


def other_images(a: Run, b: Run, catalog: Catalog) -> bool:
    """Whether it is known that the two runs were not tested on the same images."""
    known = {_images(run, catalog) for run in (a, b)}
    return len(known) > 1 and "" not in known


def compare_rows(a: Run, b: Run, catalog: Catalog) -> list[Row]:
    """Every measured row of either run, tested where both have it.

    McNemar's test on the pairs of guesses where both runs have predictions for the same images (pixels, names
    and truth), else a z-test of two proportions, as for two independent sets of images.
    """
    images = _images(a, catalog)
    # Other images may have equal names: the photographs are cut anew for each seed.
    same = bool(images) and images == _images(b, catalog)
    guesses_a, guesses_b = (_guesses(run, catalog) if same else {} for run in (a, b))
    tests = {
        key: test
        for key in a.scores
        if key in b.scores
        and (test := _test(a.scores[key], b.scores[key], guesses_a.get(key), guesses_b.get(key))) is not None
    }  # (p, name of the test)
    adjusted = holm([p for p, _ in tests.values()])
    tested = {key: (p, name) for p, (key, (_, name)) in zip(adjusted, tests.items(), strict=True)}
    keys = [*a.scores, *(key for key in b.scores if key not in a.scores)]
    return [Row(key, a.scores.get(key), b.scores.get(key), *tested.get(key, (None, ""))) for key in keys]


def _training(run: Run, catalog: Catalog) -> Mapping[str, Any]:
    """What the run's encoder was or will be trained with: a run that trains none has not used its own parameters."""
    header = encoder_header(run, catalog)
    if header:
        return dict(json.loads(header.get("training", "{}")))
    return run.manifest.get("parameters", {}).get("pretrain", {}) if ENCODER in run.writes else {}


def _values(run: Run, training: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Dotted name → text of all that a result may depend on: of the manifest, but `training` as `pretrain`."""
    manifest = run.manifest
    yield from _flatten({**manifest.get("parameters", {}), "pretrain": training}, "")
    for name, version in run.reads.items():
        yield f"{name} that was read", version
    git = manifest.get("git", {})
    if git:
        yield "git revision", git["revision"][:12] + (" and changes" if git["dirty"] else "")
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
    """The fingerprint of the test images that the run's guesses are of; empty where nothing tells it."""
    version = run.reads.get(METRICS, run.run_id)
    if not path_of_version(versioned_entries(catalog)[METRICS], version).is_file():
        return ""
    return str(catalog.load(METRICS, version=version).get("data_fingerprint", ""))


def _guesses(run: Run, catalog: Catalog) -> Guesses:
    """Row → table (truth, guess) by the names of the images; empty where the predictions are gone."""
    if not path_of_version(versioned_entries(catalog)[PREDICTIONS], run.run_id).is_file():
        return {}
    table = catalog.load(PREDICTIONS, version=run.run_id)
    groups = table.groupby(["features", "classifier", "protocol"], sort=False)
    return {key: rows.set_index("name")[["truth", "guess"]].sort_index() for key, rows in groups}


def _test(
    a: Score, b: Score, guesses_a: pd.DataFrame | None, guesses_b: pd.DataFrame | None
) -> tuple[float, str] | None:
    """The p-value and the name of the test; None where no image is named right in one run alone."""
    if guesses_a is not None and guesses_b is not None and guesses_a["truth"].equals(guesses_b["truth"]):
        right_a, right_b = (table["truth"] == table["guess"] for table in (guesses_a, guesses_b))
        return None if right_a.equals(right_b) else (mcnemar(right_a, right_b), "McNemar")
    n_a, n_b = (wilson_trials(score.top1, score.ci_low, score.ci_high) for score in (a, b))
    return two_proportions(a.top1, n_a, b.top1, n_b), "z-test"


def diff_screen(
    a: Run, b: Run, differences: Sequence[Difference], rows: Sequence[Row], *, others: bool
) -> Iterator[RenderableType]:
    """The two runs, what differs, which rows moved and how to read the p-values; 100 characters wide.

    `others`: whether the two were tested on other images.
    """
    for letter, run in (("A", a), ("B", b)):
        yield Text(f"{letter}  {run.run_id}")
        yield Padding(Text(run.command or "no manifest", overflow="fold"), (0, 0, 0, 3))
    yield _differences(differences) if differences else Text("\nNo parameter, package or revision differs.")
    without = [f"{letter}: {run.told}" for letter, run in (("A", a), ("B", b)) if not run.scores]
    if without:
        yield Text(f"\nNo rows to compare. {'; '.join(without)}")
        return
    if others:
        yield Text(OTHERS)
    yield _rows(rows)
    yield Text(_how_to_read(rows))


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
    table.add_column("is it more than noise?", overflow="fold")
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


def _how_to_read(rows: Sequence[Row]) -> str:
    """Over which rows the p-values are adjusted: those that both runs have and that are not right on the same ones."""
    tests = [row.test for row in rows if row.test]
    if not tests:
        return "No row was tested: none is right on other images in one run than in the other."
    other = "z-test: of two proportions, since no guesses are known that both runs made on the same images. "
    return (
        f"p-values are Holm-adjusted over the rows that have one ({len(tests)}); below {LEVEL} is called more than "
        f"noise. {other if 'z-test' in tests else ''}The noise is that of which test images there were: another seed "
        "moves a row too, so one pair of runs does not tell which recipe is better."
    )
