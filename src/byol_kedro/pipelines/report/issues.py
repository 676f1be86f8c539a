"""The section on image issues: sheets of images of each kind."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import Provenance, joint_fingerprint
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.log import get_logger
from byol_kedro.pipelines.report.examples import jpeg

SHOWN = 16  # images of a kind
GROUPS, MEMBERS = 8, 8  # near duplicates
TEXTS = {
    "near_duplicate": ("Near duplicates", "The same image but for small changes, one row per group."),
    "suspicious_label": ("Suspicious labels", "A cross-validated probe is confident of another class."),
    "similar_classes": ("Similar classes", "Pairs of classes that the probe can hardly tell apart."),
    "outlier": ("Outliers", "Images whose nearest images are unusually far away."),
    "empty": ("Empty images", "Images without contrast."),
    "dark": ("Dark images", "Images without a bright part."),
    "blurred": ("Blurred images", "Images with unusually little detail for their contrast."),
    "tiny": ("Tiny images", "Files smaller than the images that were made of them."),
}

log = get_logger(__name__)


@dataclass(frozen=True)
class IssueImage:
    """An image of a sheet; `jpeg` is base64."""

    name: str
    jpeg: str
    caption: str


@dataclass(frozen=True)
class IssueSheet:
    """The issues of one kind: rows of images, or lines of text, and the number of all issues of the kind."""

    title: str
    text: str
    count: int
    rows: list[list[IssueImage]]
    lines: list[str]


def show_issues(
    encoder: Tensors, image_issues: pd.DataFrame, images_train: Images, images_test: Images, images_unlabeled: Images
) -> list[IssueSheet]:
    """Returns a sheet for each kind of issue; none without a table for this encoder and these images."""
    if image_issues.empty:
        return []
    found = Provenance.from_header({str(name): str(value) for name, value in image_issues.attrs.items()})
    expected = Provenance.of(encoder)
    fingerprint = joint_fingerprint(images_train, images_test, images_unlabeled)
    if (found.encoder_fingerprint, found.data_fingerprint) != (expected.encoder_fingerprint, fingerprint):
        log.info("image_issues are left out of the report: they are of another encoder or of other images")
        return []
    splits = {"train": images_train, "test": images_test, "unlabeled": images_unlabeled}
    rows = {(split, name): row for split, images in splits.items() for row, name in enumerate(images.names)}

    def image(issue: dict[str, Any], caption: str) -> IssueImage:
        split, name = issue["split"], issue["path"]
        return IssueImage(name, jpeg(splits[split].pixels[rows[split, name]]), caption)

    return [_sheet(str(kind), part, image) for kind, part in image_issues.groupby("kind", sort=False)]


def _sheet(kind: str, issues: pd.DataFrame, image: Any) -> IssueSheet:
    title, text = TEXTS[kind]
    if kind == "similar_classes":
        lines = [f"{row['path']} and {row['related'][0]}: {row['detail']}" for row in issues.to_dict("records")]
        return IssueSheet(title, text, len(issues), [], lines)
    if kind == "near_duplicate":
        # Groups across splits first: they spoil the evaluation.
        order = issues.groupby("group")["split"].nunique().sort_values(ascending=False, kind="stable").index[:GROUPS]
        parts = [issues[issues["group"] == group].head(MEMBERS).to_dict("records") for group in order]
        return IssueSheet(title, text, len(issues), [[image(row, row["split"]) for row in part] for part in parts], [])
    shown = [image(row, row["detail"] or f"{row['score']:.2f}") for row in issues.head(SHOWN).to_dict("records")]
    return IssueSheet(title, text, len(issues), [shown[i : i + 8] for i in range(0, len(shown), 8)], [])
