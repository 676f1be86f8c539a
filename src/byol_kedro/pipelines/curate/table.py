"""The table of issues."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import pandas as pd

# In the order of the table and of the report.
KINDS = (
    "near_duplicate", "suspicious_label", "similar_classes", "outlier", "empty", "dark", "blurred", "tiny",
)  # fmt: skip


@dataclass(frozen=True)
class Issue:
    """A row of the table.

    Attributes:
        path: Name of the image; of similar classes, the class.
        split: Split of the image; empty for classes.
        kind: One of `KINDS`.
        score: The larger, the more likely; only comparable within a kind.
        related: Names of the other images of a group of near duplicates, or the other class.
        detail: What the score does not say, such as the class that is more likely.
        group: Number of the group of near duplicates, else -1.
    """

    path: str
    split: str
    kind: str
    score: float
    related: tuple[str, ...] = ()
    detail: str = ""
    group: int = -1


COLUMNS = ("path", "split", "kind", "score", "related", "detail", "group")


def as_table(issues: Iterable[Issue]) -> pd.DataFrame:
    """The issues as rows, in the order of the kinds; near duplicates by group, others by score, the largest first."""
    rows = sorted(
        issues,
        key=lambda issue: (KINDS.index(issue.kind), issue.group, 0.0 if issue.group >= 0 else -issue.score, issue.path),
    )
    table = pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))
    return table.astype({"score": "float64", "group": "int64"})
