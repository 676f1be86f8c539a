"""Encoders: timm architectures without their classifier."""

import difflib
from typing import Any

from torch import nn

from byol_kedro.byol.seeds import seeded
from byol_kedro.errors import UserError

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
DROP_RATES = ("drop_prob", "drop_rate")  # of timm's modules: stochastic depth, and dropout that is no module


def create_encoder(
    name: str, stem: str, zero_init_residual: bool, seed: int, *, image_size: int | None = None
) -> nn.Module:
    """A timm network without its classifier: (N, 3, H, W) float32 → (N, feature_dim) float32.

    Parameter names are timm's (for ResNets torchvision's too). `stem: small` gives a ResNet a 3x3 stride-1
    `conv1` and no max pooling, `imagenet` is the architecture's own. `image_size` in pixels reaches the
    architectures that are built for one size (transformers). The weights depend on `seed` alone. Dropout and
    stochastic depth, which some architectures have of their own accord, are off.

    Raises:
        UserError: unknown architecture, or one that cannot be built for this size; a stem, or residual branches to
            zero, that it does not have.
    """
    check_architecture_name(name)
    wanted: dict[str, Any] = {"zero_init_last": zero_init_residual, "img_size": image_size}
    # A constructor refuses what it does not know, and timm does not say before which options that is.
    for known in (("zero_init_last", "img_size"), ("img_size",), ("zero_init_last",), ()):
        with seeded(seed):
            encoder = _build(name, {option: wanted[option] for option in known}, last=not known)
            if encoder is None:
                continue
            if zero_init_residual and "zero_init_last" not in known:
                raise UserError(
                    f"pretrain.encoder: {name} has no zero-initialized residual branches; "
                    "set pretrain.encoder.zero_init_residual=false"
                )
            if stem == "small":
                shrink_stem(encoder, name)
            _switch_off_dropout(encoder)
            return encoder
    raise AssertionError  # the last attempt gives a network or an error


def check_architecture_name(name: str) -> None:
    """UserError where `name` is not exactly that of an architecture of timm.

    Anything else could be read as an address: timm downloads what is behind `hf-hub:`, and runs its configuration.
    """
    import timm  # noqa: PLC0415  # takes seconds to import

    known = timm.list_models()
    if name in known:
        return
    architecture, _, weights = name.partition(".")
    if architecture in known:
        raise UserError(
            f"pretrain.encoder.name: {name} names the weights {weights!r}, but a training starts at random ones; give "
            f"the architecture alone, {architecture}, and weights as a file with pretrain.init_from"
        )
    close = difflib.get_close_matches(name, known, n=3) or ["resnet18", "resnet50"]
    raise UserError(
        f"pretrain.encoder.name: timm has no architecture {name!r}; close names: {', '.join(close)} "
        "(all: timm.list_models())"
    )


def _build(name: str, options: dict[str, Any], *, last: bool) -> nn.Module | None:
    """The network made with `options`; None where it does not know one of them and this was not the `last` attempt.

    Raises:
        UserError: its constructor raises an error, of whatever class.
    """
    import timm  # noqa: PLC0415  # takes seconds to import

    try:
        model: nn.Module = timm.create_model(name, num_classes=0, pretrained=False, **options)
    except Exception as error:
        if isinstance(error, TypeError) and not last:
            return None
        size = options.get("img_size")
        raise UserError(
            f"pretrain.encoder.name: {name} cannot be built{f' for images of {size} × {size} pixels' if size else ''}: "
            f"{in_one_line(error)}; take another architecture{' or ingest.image_size' if size else ''}"
        ) from error
    return model


def _switch_off_dropout(encoder: nn.Module) -> None:
    """It draws from the global generator, which other threads share and no checkpoint holds."""
    for module in encoder.modules():
        if isinstance(module, DROPOUTS):
            module.p = 0.0
        for rate in DROP_RATES:
            if hasattr(module, rate):
                setattr(module, rate, 0.0)


def in_one_line(error: Exception) -> str:
    """What an error of another package says, or its class where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def shrink_stem(encoder: Any, name: str) -> None:
    conv = getattr(encoder, "conv1", None)
    if not isinstance(conv, nn.Conv2d) or not isinstance(getattr(encoder, "maxpool", None), nn.MaxPool2d):
        raise UserError(
            f"pretrain.encoder: stem small replaces a ResNet's one convolution and max pooling, which {name} "
            "does not have; set pretrain.encoder.stem=imagenet"
        )
    encoder.conv1 = nn.Conv2d(conv.in_channels, conv.out_channels, 3, stride=1, padding=1, bias=False)
    # As timm and torchvision initialize every convolution of a ResNet.
    nn.init.kaiming_normal_(encoder.conv1.weight, mode="fan_out", nonlinearity="relu")
    encoder.maxpool = nn.Identity()


def feature_dim(encoder: Any) -> int:
    """Number of features that a timm network without classifier gives for each image."""
    return int(encoder.head_hidden_size)
