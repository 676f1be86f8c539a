"""The sections of the report on the run itself: summary, training, data and provenance, without their layout."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from byol_kedro.evaluation.metrics import percent
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.log import counted, rounded
from byol_kedro.pipelines.report.results import measured
from byol_kedro.pipelines.report.table import Table, spaced
from byol_kedro.pipelines.report.verdict import PROTOCOL, headline, summary, without_labels

# The fields of the encoder's header that are shown first; the others are collapsed.
MAIN_FIELDS = (
    "imported_from", "imported_sha256", "weights", "recipe", "data", "architecture", "stem", "image_size", "crop",
    "resample", "epochs", "steps", "batch_size", "projection_dim", "seed",
)  # fmt: skip
FINGERPRINT_DIGITS = 12  # as in messages
SOURCES = {"folder": "a folder of images", "array": "an array of images"}


def title(header: Mapping[str, str]) -> str:
    """Returns the title of the page."""
    if header.get("imported_from"):
        return f"Imported encoder: {header['architecture']} from {header['imported_from']}"
    return f"BYOL: {header['architecture']} trained on {_source(header['data'])}"


def setup(header: Mapping[str, str], data: Mapping[str, Any], steps: int | None) -> str:
    """Returns two sentences on the training and the evaluation data.

    Args:
        header: The encoder's header.
        data: The data summary.
        steps: Number of training steps, None if unknown.
    """
    splits = data["splits"]
    counts = [f"{splits[name]['count']:,} {name}" for name in ("unlabeled", "train", "test") if splits[name]["count"]]
    listed = " and ".join([", ".join(counts[:-1]), counts[-1]] if counts[1:] else counts)
    number = len(splits["train"]["classes"])
    classes = f"in {counted(number, 'class', 'classes')}" if number else "without labels"
    return (
        f"Encoder: {header['architecture']}, {_origin(header, steps)}. Evaluation data: {_source(data['source'])}, "
        f"{listed} images of {splits['test']['height']} px {classes}."
    )


def _origin(header: Mapping[str, str], steps: int | None) -> str:
    """Returns where the encoder comes from: its training, or the file that it was imported from."""
    if header.get("imported_from"):
        digits = header.get("imported_sha256", "")[:FINGERPRINT_DIGITS]
        return f"imported from {header['imported_from']} (sha256 {digits}…), not trained in this project folder"
    length = counted(float(header["epochs"]), "epoch")
    length += "" if steps is None else f", {counted(steps, 'step')} of {counted(int(header['batch_size']), 'image')}"
    return f"trained with BYOL on {_source(header['data'])} (recipe {header['recipe']}: {length})"


def labeled(
    results: pd.DataFrame, chance: float | None, comparisons: pd.DataFrame, steps: int | None
) -> dict[str, Any]:
    """Returns the conclusions and the numbers that they rest on. `chance` is a fraction, None if unknown."""
    own = measured(results)
    numbers = [
        (row["features"], f"{percent(row['top1'])} %", f"{percent(row['ci_low'])}–{percent(row['ci_high'])}")
        for row in own[own["protocol"] == PROTOCOL].to_dict("records")
    ]
    if chance is not None:
        numbers.append(("chance", f"{percent(chance)} %", "most frequent training class"))
    return {
        "sentences": summary(results, comparisons, steps),
        "classifier": PROBES[PROTOCOL].label,
        "numbers": numbers,
        "family": len(headline(results)),
    }


def unlabeled(images: int, clusters: int, quality: Sequence[Mapping[str, Any]], why: str) -> dict[str, Any]:
    """Returns the conclusions if no classifier was evaluated (see `verdict.without_labels`)."""
    return {"sentences": without_labels(images, clusters, quality, why), "numbers": []}


def training(header: Mapping[str, str]) -> dict[str, Any]:
    """Returns the fields of the encoder's header."""
    shown = {**header, "epochs": rounded(float(header["epochs"]))} if "epochs" in header else header
    return {
        "main": {spaced(name): shown[name] for name in MAIN_FIELDS if name in header},
        "others": {spaced(name): value for name, value in header.items() if name not in MAIN_FIELDS},
    }


def data(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the data summary: mappings of equal fields as tables with a column each, all other fields as a list."""
    splits = {
        name: {**split, "fingerprint": split["fingerprint"][:FINGERPRINT_DIGITS]}
        for name, split in summary["splits"].items()
    }
    fields = {**summary, "splits": splits}
    tables = {name: columns for name, columns in fields.items() if _is_table(columns)}
    return {
        "fields": {spaced(name): value for name, value in fields.items() if name not in tables},
        "tables": [_columns(name, columns) for name, columns in tables.items()],
    }


def run(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is needed to repeat the run: command, versions, parameters and packages."""
    git = manifest.get("git") or {}
    revision = f"{git.get('revision') or 'unknown'}{' with uncommitted changes' if git.get('dirty') else ''}"
    return {
        "fields": {
            "run": manifest["run_id"],
            "command": manifest["command"],
            "environment": manifest["environment"],
            "pipelines": manifest["pipelines"],
            "git revision": revision,
            "python": manifest["python"],
            "platform": manifest["platform"],
        },
        "inputs": Table(
            ("entry", "version", "command"),
            [(name, read["version"], read["command"]) for name, read in manifest["reads"].items()],
        ),
        "parameters": manifest["parameters"],
        "packages": manifest["packages"],
    }


def _source(name: str) -> str:
    return SOURCES.get(name, name)


def _columns(name: str, columns: Mapping[str, Mapping[str, Any]]) -> Table:
    fields = next(iter(columns.values()))
    rows = [[spaced(field), *(column[field] for column in columns.values())] for field in fields]
    return Table([spaced(name), *columns], rows)


def _is_table(value: object) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    columns = list(value.values())
    return all(isinstance(column, Mapping) and list(column) == list(columns[0]) for column in columns)
