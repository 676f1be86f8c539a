"""The sections of the page in their order: to add one, add an entry here and a template of the same name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Section:
    """A section of the page, laid out by `templates/<name>.html.j2`.

    Attributes:
        name: Name of the template, and the address of the section on the page, with hyphens.
        title: Its heading and its entry in the contents.
        needs: Entries of the context, such as `figures.top1_bars`. Without all of them the section is left out; with
            no name here it is always shown.
    """

    name: str
    title: str
    needs: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """The id of the section."""
        return self.name.replace("_", "-")

    def is_shown(self, context: Mapping[str, Any]) -> bool:
        """Whether the context has content for this section."""
        return not self.needs or any(_entry(context, name) for name in self.needs)


SECTIONS = (
    Section("results", "Results", ("results",)),
    Section("confusion", "Confusion matrix", ("figures.confusion_matrix", "classes")),
    Section("mistakes", "Mistakes", ("examples.mistakes",)),
    Section("neighbors", "Nearest neighbors", ("examples.neighbors",)),
    Section("label_efficiency", "Label efficiency", ("folds", "figures.few_label_curve")),
    Section("training", "Training"),
    Section("quality", "Quality without labels", ("quality",)),
    Section("comparisons", "Pairwise comparisons", ("comparisons",)),
    Section("calibration", "Calibration and seeds", ("calibration",)),
    Section("data", "Data"),
    Section("image_issues", "Image issues", ("image_issues",)),
    Section("pair_model", "Pair model", ("clusters", "pairs")),
    Section("reproducibility", "Reproducibility"),
)


def contents(context: Mapping[str, Any]) -> list[Section]:
    """The sections that have content."""
    return [section for section in SECTIONS if section.is_shown(context)]


def _entry(context: Mapping[str, Any], name: str) -> Any:
    value: Any = context
    for part in name.split("."):
        value = value[part]
    return value
