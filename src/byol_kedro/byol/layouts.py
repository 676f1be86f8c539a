"""Finds the encoder in checkpoints of other trainings: wrappers, prefixes, and other names of the same tensors."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor, nn

from byol_kedro.errors import UserError

COUNTER = "num_batches_tracked"  # missing in old files of torchvision; never used here
MAX_DEPTH = 5  # of nested mappings
MAX_NAMES = 4  # in a message
MIN_SHARE = 10  # at least a tenth of the encoder's names is there, or the file is of something else
COMPILED = "_orig_mod."  # prefix that torch.compile adds to names
# In the first part of a name: modules on top of an encoder, or beside it.
HEADS = re.compile(
    "head|fc|classif|proj|pred|protot|mlp|linear|queue|optim|aux|loss|target|momentum|teacher|ema", re.IGNORECASE
)
# Moving averages: BYOL's target, MoCo's key encoder, the momentum networks of lightly and solo-learn.
MOVING_AVERAGE = re.compile(r"target|momentum|teacher|(^|[._])ema([._]|$)|_k([._]|$)|(^|[._])key")
DEPTHS: dict[tuple[tuple[int, ...], bool], int] = {  # by the blocks of each stage, and whether these are bottlenecks
    ((2, 2, 2, 2), False): 18, ((3, 4, 6, 3), False): 34, ((2, 2, 2, 2), True): 26, ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101, ((3, 8, 36, 3), True): 152,
}  # fmt: skip
WIDTHS: dict[tuple[int, ...], str] = {  # by the shape of the second convolution
    (64, 64): "resnet{}", (128, 128): "wide_resnet{}_2", (128, 4): "resnext{}_32x4d", (256, 8): "resnext{}_32x8d",
}  # fmt: skip
# The numbers of a ResNet's children in a Sequential: none, all children, those with weights.
RESNET_LAYERS = ("layer1", "layer2", "layer3", "layer4")
RESNET_CHILDREN: tuple[dict[str, str], ...] = (
    {},
    {str(number): name for number, name in enumerate(("conv1", "bn1", "act1", "maxpool", *RESNET_LAYERS))},
    {str(number): name for number, name in enumerate(("conv1", "bn1", *RESNET_LAYERS))},
)


@dataclass(frozen=True)
class Names:
    """The names of an encoder's tensors, and the names that other projects use for them.

    Attributes:
        expected: the names of the tensors.
        tables: names of the children by other names; the first table is empty.
    """

    expected: AbstractSet[str]
    tables: tuple[dict[str, str], ...]

    @classmethod
    def of(cls, encoder: Any) -> Self:
        """The names of `encoder`, a timm network."""
        children = [(name, any(True for _ in child.parameters())) for name, child in encoder.named_children()]
        with_weights = [child for child in children if child[1]]
        # ResNets for small images call activations and pooling as functions, which are no children then.
        tables = [{str(number): name for number, (name, _) in enumerate(some)} for some in (children, with_weights)]
        return cls(encoder.state_dict().keys(), ({}, *tables))


@dataclass(frozen=True)
class Found:
    """The tensors of an encoder in a file.

    Attributes:
        tensors: tensors by the names of the encoder. They may be incomplete, or include parts of a larger encoder;
            `check_match` checks that.
        prefix: prefix of their names in the file; empty, or ends in a dot.
        renamed: whether the file has other names for them.
        unused: what else is in the file, except for a classifier beside them.
    """

    tensors: dict[str, Any]
    prefix: str
    renamed: bool
    unused: tuple[str, ...] = ()

    def note(self) -> str:
        """A message that says what was used and what was not; empty if the file is the encoder alone."""
        if not (self.prefix or self.renamed or self.unused):
            return ""
        place = f"the tensors under {self.prefix!r}" if self.prefix else "the tensors of the file"
        kind = ", a moving average," if MOVING_AVERAGE.search(self.prefix) else ""
        names = ", the children of a Sequential by number," if self.renamed else ""
        return f"{place}{kind}{names} are used; unused: {_join(self.unused) or 'nothing'}"


def find_encoder(content: Mapping[str, Any], encoder: nn.Module, problem: str, advice: str) -> Found:
    """Find the encoder in the content of a file, under any wrappers and prefixes, or else the closest match.

    An online network is preferred to its moving average, a teacher to its student.

    Raises:
        UserError: no tensor has a name of the encoder's, or several different encoders match. The message starts with
            `problem` and ends with `advice`.
    """
    flat, expected = dict(_flat(content, set())), encoder.state_dict()
    names = Names.of(encoder)
    scored = [
        (_hits(candidate.tensors, expected), candidate)
        for prefix, under in _by_prefix(flat).items()
        for candidate in _candidates(prefix, under, names)
    ]
    n_expected = sum(not name.endswith(COUNTER) for name in expected)
    most = max((hits for hits, _ in scored), default=(0, 0))
    if most[1] * MIN_SHARE < n_expected:
        raise UserError(f"{problem}: {_mismatch(flat, content, expected)}; {advice}")
    best = [candidate for hits, candidate in scored if hits == most]
    exact = [candidate for candidate in best if candidate.tensors.keys() <= expected.keys()]
    best = sorted(_preferred(exact or best), key=lambda found: ("online" not in found.prefix, len(found.prefix)))
    if most[0] == n_expected and (
        odd := next((other for other in best[1:] if not _equal(best[0], other, expected)), None)
    ):
        raise UserError(
            f"{problem}: the file has different encoders under {best[0].prefix!r} and {odd.prefix!r}; save the tensors "
            "of one of them, without the prefix, to a file of their own"
        )
    return replace(best[0], unused=_unused(flat, best[0]))


def resnet_name(tensors: Mapping[str, Any]) -> str:
    """Name in timm of the ResNet with tensors of these names and widths; empty if there is none."""
    blocks = tuple(
        len({name.split(".")[1] for name in tensors if name.startswith(f"layer{number}.") and name.count(".") > 1})
        for number in (1, 2, 3, 4)
    )
    middle = tensors.get("layer1.0.conv2.weight")
    depth = DEPTHS.get((blocks, "layer1.0.conv3.weight" in tensors))
    width = WIDTHS.get(tuple(middle.shape[:2])) if isinstance(middle, Tensor) else None
    return width.format(depth) if depth and width else ""


def resnet_in(content: Mapping[str, Any]) -> str:
    """Name in timm of the ResNet in the content of a file, under any prefix; empty if there is none, or several."""
    found = set()
    for under in _by_prefix(dict(_flat(content, set()))).values():
        for table in RESNET_CHILDREN if any(name[:1].isdigit() for name in under) else RESNET_CHILDREN[:1]:
            found.add(resnet_name({_renamed(name, table, set()): value for name, value in under.items()}))
    found.discard("")
    return found.pop() if len(found) == 1 else ""


def _flat(content: Mapping[Any, Any], seen: set[int], path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The values of nested mappings by names with dots. A mapping that occurs several times is visited once."""
    for key, value in content.items():
        name = f"{path}{key}".replace(COMPILED, "")
        if not isinstance(value, Mapping):
            yield name, value
        elif depth < MAX_DEPTH and id(value) not in seen:
            seen.add(id(value))
            yield from _flat(value, seen, f"{name}.", depth + 1)


def _by_prefix(flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The values under each prefix, by the rest of their names."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in flat.items():
        end = 0
        while True:
            found.setdefault(name[:end], {})[name[end:]] = value
            end = name.find(".", end) + 1
            if not end:
                break
    return found


def _candidates(prefix: str, under: Mapping[str, Any], names: Names) -> Iterator[Found]:
    """The values under a prefix by their own names, and as the numbered children of a Sequential."""
    numbered = any(name.partition(".")[0].isdigit() for name in under)
    for table in names.tables if numbered else names.tables[:1]:
        ours = {_renamed(name, table, names.expected): value for name, value in under.items()}
        tensors = {n: v for n, v in ours.items() if n in names.expected or _is_part(n, v)}
        yield Found(tensors, prefix, renamed=bool(table))


def _renamed(name: str, table: Mapping[str, str], expected: AbstractSet[str]) -> str:
    child, dot, rest = name.partition(".")
    ours = f"{table.get(child, child)}{dot}{rest}"
    if ".shortcut." in ours and ours not in expected:  # the name in ResNets for CIFAR
        return ours.replace(".shortcut.", ".downsample.")
    return ours


def _is_part(name: str, value: Any) -> bool:
    """Whether a tensor that the encoder does not have may belong to a larger encoder, and not to a head."""
    top, _, rest = name.partition(".")
    is_weight = isinstance(value, Tensor) and rest.rpartition(".")[2] in ("weight", "bias")
    return is_weight and not HEADS.search(top)


def _hits(tensors: Mapping[str, Any], expected: Mapping[str, Tensor]) -> tuple[int, int]:
    """How many tensors have a name and shape of the encoder, and how many a name; without counters."""
    named = [name for name in expected if name in tensors and not name.endswith(COUNTER)]
    return sum(getattr(tensors[name], "shape", None) == expected[name].shape for name in named), len(named)


def _preferred(candidates: list[Found]) -> list[Found]:
    """Those of the teacher if there is a student, otherwise those that are not a moving average."""
    has_student = any("student" in candidate.prefix for candidate in candidates)
    first = [r for r in candidates if ("teacher" in r.prefix if has_student else not MOVING_AVERAGE.search(r.prefix))]
    return first or candidates


def _equal(one: Found, other: Found, expected: Mapping[str, Tensor]) -> bool:
    names = [name for name in expected if not name.endswith(COUNTER)]
    return all(one.tensors[name].equal(other.tensors[name]) for name in names)


def _unused(flat: Mapping[str, Any], chosen: Found) -> tuple[str, ...]:
    """What else is in the file, by the first part of its name that is not in the prefix."""
    used = {id(value) for value in chosen.tensors.values()}
    path = chosen.prefix.split(".")[:-1]
    groups: dict[str, None] = {}
    for name, value in flat.items():
        inside = name.startswith(chosen.prefix)
        if not isinstance(value, Tensor) or (inside and (id(value) in used or name.endswith(COUNTER))):
            continue
        parts = name.split(".")
        common = next((i for i, part in enumerate(path) if parts[i : i + 1] != [part]), len(path))
        groups.setdefault(".".join(parts[: common + 1]))
    classifier = {f"{chosen.prefix}{top}" for top in ("fc", "head", "classifier")}
    return tuple(groups) if groups.keys() - classifier or chosen.prefix else ()


def _mismatch(flat: Mapping[str, Any], content: Mapping[str, Any], expected: Mapping[str, Tensor]) -> str:
    found = tuple(name for name, value in flat.items() if isinstance(value, Tensor))
    holds = f"its tensors are {_join(found)}" if found else f"it has no tensors, only {_join((*content,))}"
    return f"{holds}; expected {_join((*expected,))}, with any prefix"


def _join(names: tuple[Any, ...]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(str(name) for name in names[:MAX_NAMES]) + more
