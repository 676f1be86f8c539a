"""Where files of other trainings keep the encoder: wrappers, prefixes, and other names of the same tensors."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor, nn

from byol_kedro.errors import UserError

COUNTER = "num_batches_tracked"  # older files of torchvision lack it; nothing here reads it
DEEPEST = 5  # mappings within each other
SHOWN = 4  # names in a line
FEWEST = 10  # of so many names of the encoder one is there, or the file is of something else
COMPILED = "_orig_mod."  # torch.compile puts it before the names of what it compiles
# In the first part of a name: what a training puts on an encoder, or beside it.
HEADS = re.compile(
    "head|fc|classif|proj|pred|protot|mlp|linear|queue|optim|aux|loss|target|momentum|teacher|ema", re.IGNORECASE
)
# Moving averages: BYOL's target, the key encoder of MoCo, lightly's and solo-learn's momentum network.
AVERAGE = re.compile(r"target|momentum|teacher|(^|[._])ema([._]|$)|_k([._]|$)|(^|[._])key")
DEPTHS: dict[tuple[tuple[int, ...], bool], int] = {  # by the blocks of each stage, and whether these are bottlenecks
    ((2, 2, 2, 2), False): 18, ((3, 4, 6, 3), False): 34, ((2, 2, 2, 2), True): 26, ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101, ((3, 8, 36, 3), True): 152,
}  # fmt: skip
WIDTHS: dict[tuple[int, ...], str] = {  # by the shape of the second convolution
    (64, 64): "resnet{}", (128, 128): "wide_resnet{}_2", (128, 4): "resnext{}_32x4d", (256, 8): "resnext{}_32x8d",
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What an encoder calls its tensors, and what others may have called them.

    `tables`: its children by other names of theirs; the first one is empty. `classifier`: how the names of its
    classifier begin, which timm's metadata say.
    """

    expected: AbstractSet[str]
    tables: tuple[dict[str, str], ...]
    classifier: tuple[str, ...]

    @classmethod
    def of(cls, encoder: Any) -> Self:
        children = [(name, any(True for _ in child.parameters())) for name, child in encoder.named_children()]
        weighed = [child for child in children if child[1]]
        # ResNets for small images call activations and poolings as functions: these are then no children.
        tables = [{str(number): name for number, (name, _) in enumerate(some)} for some in (children, weighed)]
        named = getattr(encoder, "pretrained_cfg", {}).get("classifier") or ()
        classifiers = (named,) if isinstance(named, str) else tuple(named)
        beginnings = tuple(f"{classifier}." for classifier in (*classifiers, "fc"))
        return cls(encoder.state_dict().keys(), ({}, *tables), beginnings)

    def without_classifier(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in tensors.items() if not name.startswith(self.classifier)}


@dataclass(frozen=True)
class Found:
    """Tensors by the encoder's names, and where in the file they were.

    `tensors` may be no whole encoder, and may hold parts of a larger one: `check_fit` of take_over tells. `prefix` ends
    in a dot where it is not empty; `renamed`: whether the file had other names for them; `left`: what else is there,
    apart from a classifier beside them.
    """

    tensors: dict[str, Any]
    prefix: str
    renamed: bool
    left: tuple[str, ...] = ()

    def told(self) -> str:
        """In words what was taken and what was left; empty where the file is the encoder and no more."""
        if not (self.prefix or self.renamed or self.left):
            return ""
        place = f"the tensors under {self.prefix!r}" if self.prefix else "its tensors"
        kind = ", a moving average," if AVERAGE.search(self.prefix) else ""
        names = ", the children of a Sequential by number," if self.renamed else ""
        return f"of the file {place}{kind}{names} are taken, left {_listed(self.left) or 'is nothing'}"


def find_encoder(content: Mapping[str, Any], encoder: nn.Module, fault: str, advice: str) -> Found:
    """The encoder in the content of a file, whatever the wrappers and prefixes; where none fits, what comes nearest.

    Of an online network and its moving average the former is taken, of student and teacher the latter.

    Raises:
        UserError: `fault`, what it is, `advice`: nothing has a name of the encoder's, or several that differ fit.
    """
    flat, expected = dict(_flat(content, set())), encoder.state_dict()
    names = Names.of(encoder)
    scored = [
        (_hits(reading.tensors, expected), reading)
        for prefix, under in _by_prefix(flat).items()
        for reading in _readings(prefix, under, names)
    ]
    whole = sum(not name.endswith(COUNTER) for name in expected)
    most = max((hits for hits, _ in scored), default=(0, 0))
    if most[1] * FEWEST < whole:
        raise UserError(f"{fault}: {_unlike(flat, content, expected)}; {advice}")
    best = [reading for hits, reading in scored if hits == most]
    exact = [reading for reading in best if reading.tensors.keys() <= expected.keys()]
    best = sorted(_preferred(exact or best), key=lambda found: ("online" not in found.prefix, len(found.prefix)))
    if most[0] == whole and (odd := next((other for other in best[1:] if not _equal(best[0], other, expected)), None)):
        raise UserError(
            f"{fault}: encoders that differ are under {best[0].prefix!r} and {odd.prefix!r} there; save the tensors of "
            "the one that is meant, without that prefix, as a file of their own"
        )
    return replace(best[0], left=_left(flat, best[0]))


def looks_like(tensors: Mapping[str, Any]) -> str:
    """The ResNet that tensors are of by their names and widths, as timm calls it; empty where they are of none."""
    blocks = tuple(
        len({name.split(".")[1] for name in tensors if name.startswith(f"layer{number}.") and name.count(".") > 1})
        for number in (1, 2, 3, 4)
    )
    middle = tensors.get("layer1.0.conv2.weight")
    depth = DEPTHS.get((blocks, "layer1.0.conv3.weight" in tensors))
    width = WIDTHS.get(tuple(middle.shape[:2])) if isinstance(middle, Tensor) else None
    return width.format(depth) if depth and width else ""


def _flat(content: Mapping[Any, Any], seen: set[int], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """What a mapping of mappings holds, by names with dots; each mapping once, wherever else it may be."""
    for key, value in content.items():
        name = f"{above}{key}".replace(COMPILED, "")
        if not isinstance(value, Mapping):
            yield name, value
        elif depth < DEEPEST and id(value) not in seen:
            seen.add(id(value))
            yield from _flat(value, seen, f"{name}.", depth + 1)


def _by_prefix(flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What lies under each prefix, by the rest of its name."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in flat.items():
        end = 0
        while True:
            found.setdefault(name[:end], {})[name[end:]] = value
            end = name.find(".", end) + 1
            if not end:
                break
    return found


def _readings(prefix: str, under: Mapping[str, Any], names: Names) -> Iterator[Found]:
    """What is `under` a prefix taken as it is, and as the children of a ResNet, numbered by a Sequential."""
    numbered = any(name.partition(".")[0].isdigit() for name in under)
    for table in names.tables if numbered else names.tables[:1]:
        ours = names.without_classifier({_renamed(name, table, names.expected): v for name, v in under.items()})
        tensors = {n: v for n, v in ours.items() if n in names.expected or _is_part(n, v)}
        yield Found(tensors, prefix, renamed=bool(table))


def _renamed(name: str, table: Mapping[str, str], expected: AbstractSet[str]) -> str:
    child, dot, rest = name.partition(".")
    ours = f"{table.get(child, child)}{dot}{rest}"
    if ".shortcut." in ours and ours not in expected:  # as ResNets for CIFAR call it
        return ours.replace(".shortcut.", ".downsample.")
    return ours


def _is_part(name: str, value: Any) -> bool:
    """Whether a tensor that the encoder does not have would be one of a larger encoder, and of no head."""
    top, _, rest = name.partition(".")
    weighs = isinstance(value, Tensor) and rest.rpartition(".")[2] in ("weight", "bias")
    return weighs and not HEADS.search(top)


def _hits(tensors: Mapping[str, Any], expected: Mapping[str, Tensor]) -> tuple[int, int]:
    """How many tensors have a name and a shape of the encoder's, and how many a name; counters aside."""
    named = [name for name in expected if name in tensors and not name.endswith(COUNTER)]
    return sum(getattr(tensors[name], "shape", None) == expected[name].shape for name in named), len(named)


def _preferred(readings: list[Found]) -> list[Found]:
    """Those of the teacher where there is a student, else those that are no moving average."""
    has_student = any("student" in reading.prefix for reading in readings)
    first = [r for r in readings if ("teacher" in r.prefix if has_student else not AVERAGE.search(r.prefix))]
    return first or readings


def _equal(one: Found, other: Found, expected: Mapping[str, Tensor]) -> bool:
    names = [name for name in expected if not name.endswith(COUNTER)]
    return all(one.tensors[name].equal(other.tensors[name]) for name in names)


def _left(flat: Mapping[str, Any], chosen: Found) -> tuple[str, ...]:
    """What of the file was not taken, each by the first part of its name that is not in the prefix."""
    taken = {id(value) for value in chosen.tensors.values()}
    path = chosen.prefix.split(".")[:-1]
    groups: dict[str, None] = {}
    for name, value in flat.items():
        inside = name.startswith(chosen.prefix)
        if not isinstance(value, Tensor) or (inside and (id(value) in taken or name.endswith(COUNTER))):
            continue
        parts = name.split(".")
        common = next((i for i, part in enumerate(path) if parts[i : i + 1] != [part]), len(path))
        groups.setdefault(".".join(parts[: common + 1]))
    classifier = {f"{chosen.prefix}{top}" for top in ("fc", "head", "classifier")}
    return tuple(groups) if groups.keys() - classifier or chosen.prefix else ()


def _unlike(flat: Mapping[str, Any], content: Mapping[str, Any], expected: Mapping[str, Tensor]) -> str:
    found = tuple(name for name, value in flat.items() if isinstance(value, Tensor))
    holds = f"its tensors are called {_listed(found)}" if found else f"it holds no tensors but {_listed((*content,))}"
    return f"{holds}, expected are {_listed((*expected,))}, under whatever prefix"


def _listed(names: tuple[Any, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(str(name) for name in names[:SHOWN]) + more
