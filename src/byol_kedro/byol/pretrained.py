"""Networks with weights that others have trained, by timm's names, and what each does to a picture first."""

import difflib
from collections.abc import Mapping
from typing import Any

from torch import nn

from byol_kedro.byol.features import Transform
from byol_kedro.byol.seeds import seeded
from byol_kedro.byol.take_over import fitting_encoder
from byol_kedro.errors import UserError
from byol_kedro.log import get_logger

logger = get_logger(__name__)


def check_timm_name(name: str, parameter: str) -> None:
    """UserError where timm knows no architecture `name`, or no such tag of it; `parameter` gave the name."""
    import timm  # noqa: PLC0415  # takes seconds to import

    known = {*timm.list_models(), *timm.list_pretrained()}
    if name not in known:
        close = ", ".join(difflib.get_close_matches(name, known, n=3)) or "resnet18.tv_in1k"
        raise UserError(
            f"{parameter}: timm knows no weights {name!r}; close names: {close} (all: timm.list_pretrained())"
        )


def hub_repository(name: str) -> str | None:
    """The repository of timm's weights `name`; None where timm knows none."""
    import timm  # noqa: PLC0415  # takes seconds to import

    config = timm.models.get_pretrained_cfg(name)
    return config.hf_hub_id if config else None


def pretrained_encoder(name: str, weights: Mapping[str, Any], source: str) -> nn.Module:
    """timm's network `name` without its classifier, with weights by timm's names, in evaluation mode.

    `weights` is the content of a file in any layout that `find_encoder` knows; where that is more than a state dict
    with its classifier, a line says what was taken. `source` is what messages call it.

    Raises:
        UserError: a tensor of the network is missing there or has another shape, or those of a larger one are there.
    """
    model, told = _filled(name, weights, source)
    if told:
        logger.info("%s: %s", source, told)
    return model.eval()


def check_weights(name: str, weights: Mapping[str, Any], source: str) -> None:
    """UserError where `pretrained_encoder` raises one; says nothing else."""
    _filled(name, weights, source)


def _filled(name: str, weights: Mapping[str, Any], source: str) -> tuple[nn.Module, str]:
    """The network with its weights, and what of them was taken where there is something to say of it."""
    import timm  # noqa: PLC0415  # takes seconds to import

    with seeded(0):  # whatever it starts at is loaded over
        model: nn.Module = timm.create_model(name, num_classes=0, pretrained=False)
    advice = f"give weights of {name} by timm's names, as timm.create_model({name!r}).state_dict() has them"
    found = fitting_encoder(weights, model, f"{source} is no {name}", advice)
    model.load_state_dict(found.tensors)
    return model, found.told()


def own_transform(model: nn.Module) -> Transform:
    """What the network's authors do to a picture: resize, crop to its input size, normalise (timm's metadata)."""
    from timm.data.config import resolve_model_data_config  # noqa: PLC0415  # takes seconds to import
    from timm.data.transforms_factory import create_transform  # noqa: PLC0415

    config = resolve_model_data_config(model)  # type: ignore[no-untyped-call]  # timm has no types there
    transform: Transform = create_transform(**config, is_training=False)
    return transform
