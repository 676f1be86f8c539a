"""Names of features in tables and figures."""

from collections.abc import Iterable

BYOL = "BYOL"
IMPORTED = "imported encoder"
OWN = (BYOL, IMPORTED)  # of the evaluated encoder; a run has one of them
UNTRAINED = "untrained network"
SUPERVISED = "supervised, from scratch"
PIXELS = "pixels"  # followed by how the pixels were reduced


def own_name(names: Iterable[str]) -> str:
    """The name of the features of the evaluated encoder among `names`; `BYOL` if neither of them is there."""
    return IMPORTED if IMPORTED in set(names) else BYOL
