"""The screen of `kedro results diff`."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from byol_kedro.evaluation.metrics import percent
from byol_kedro.evaluation.significance import LEVEL
from byol_kedro.pipelines.report.table import classifier, signed
from byol_kedro.results.compare import Difference, Row
from byol_kedro.results.runs import Run, Score

OTHERS = "A and B were not tested on the same pictures: what differs says nothing about the encoders alone."


def diff_screen(
    a: Run, b: Run, differences: Sequence[Difference], rows: Sequence[Row], *, others: bool
) -> Iterator[RenderableType]:
    """The two runs, what differs, which rows moved and how to read the p-values; 100 characters wide.

    `others`: whether the two were tested on other pictures.
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
        return "No row was tested: none is right on other pictures in one run than in the other."
    other = "z-test: of two proportions, since no guesses are known that both runs made on the same pictures. "
    return (
        f"p-values are Holm-adjusted over the rows that have one ({len(tests)}); below {LEVEL} is called more than "
        f"noise. {other if 'z-test' in tests else ''}The noise is that of which test pictures there were: another seed "
        "moves a row too, so one pair of runs does not tell which recipe is better."
    )
