"""Encoders: timm architectures without their classifier."""

from typing import Any

from torch import nn

from byol_kedro.byol.seeds import seeded
from byol_kedro.errors import UserError
from byol_kedro.suggestions import close_names

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
DROP_RATES = ("drop_prob", "drop_rate")  # attributes of timm's modules: stochastic depth, functional dropout


def create_encoder(
    name: str, stem: str, zero_init_residual: bool, seed: int, *, image_size: int | None = None
) -> nn.Module:
    """A timm network without its classifier: (N, 3, H, W) float32 → (N, feature_dim) float32.

    Parameters have timm's names (for ResNets also torchvision's). Dropout and stochastic depth are switched off.

    Args:
        name: name of the architecture in timm.
        stem: `imagenet` is the architecture's own; `small_pool` gives a ResNet a 3x3 stride-1 `conv1`, and `small`
            also removes its max pooling.
        zero_init_residual: whether residual branches start at zero.
        seed: determines all weights.
        image_size: side of the images in pixels, for architectures that are built for one size (transformers).

    Raises:
        UserError: the architecture is unknown, cannot be built for this size, or has no such stem or residual
            branches.
    """
    check_architecture_name(name)
    options: dict[str, Any] = {"zero_init_last": zero_init_residual, "img_size": image_size}
    # A constructor raises an error for an unknown option, and timm does not list the known ones.
    for known in (("zero_init_last", "img_size"), ("img_size",), ("zero_init_last",), ()):
        with seeded(seed):
            encoder = _build(name, {option: options[option] for option in known}, last=not known)
            if encoder is None:
                continue
            if zero_init_residual and "zero_init_last" not in known:
                raise UserError(
                    f"pretrain.encoder: {name} has no zero-initialized residual branches; "
                    "set pretrain.encoder.zero_init_residual=false"
                )
            if stem != "imagenet":
                shrink_stem(encoder, name, stem)
            _switch_off_dropout(encoder)
            return encoder
    raise AssertionError  # the last attempt returns a network or raises an error


def check_architecture_name(name: str) -> None:
    """Check that `name` is exactly that of an architecture of timm.

    Other names may be addresses: timm downloads from `hf-hub:` and uses the configuration found there.

    Raises:
        UserError: there is no such architecture.
    """
    import timm  # noqa: PLC0415  # takes seconds to import

    known = timm.list_models()
    if name in known:
        return
    architecture, _, weights = name.partition(".")
    if architecture in known:
        raise UserError(
            f"pretrain.encoder.name: {name} includes the weights {weights!r}; use the architecture alone, "
            f"{architecture}, and set pretrain.init_from to a file of weights"
        )
    close = close_names(name, known, most=3) or ["resnet18", "resnet50"]
    raise UserError(
        f"pretrain.encoder.name: timm has no architecture {name!r}; close names: {', '.join(close)} "
        "(all: timm.list_models())"
    )


def _build(name: str, options: dict[str, Any], *, last: bool) -> nn.Module | None:
    """The network with `options`; None if it does not know one of them and this is not the `last` attempt.

    Raises:
        UserError: the constructor raises any error.
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
            f"{error_text(error)}; use another architecture{' or ingest.image_size' if size else ''}"
        ) from error
    return model


def _switch_off_dropout(encoder: nn.Module) -> None:
    """Dropout draws from the global generator, which other threads share and checkpoints do not save."""
    for module in encoder.modules():
        if isinstance(module, DROPOUTS):
            module.p = 0.0
        for rate in DROP_RATES:
            if hasattr(module, rate):
                setattr(module, rate, 0.0)


def error_text(error: Exception) -> str:
    """The message of an error in one line, without its last period, or its class if it has no message."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def shrink_stem(encoder: Any, name: str, stem: str) -> None:
    """Replace the first convolution of a ResNet by a 3x3 stride-1 convolution, in place; see `create_encoder`.

    Raises:
        UserError: the network does not have the stem of a ResNet.
    """
    conv = getattr(encoder, "conv1", None)
    if not isinstance(conv, nn.Conv2d) or not isinstance(getattr(encoder, "maxpool", None), nn.MaxPool2d):
        raise UserError(
            f"pretrain.encoder: stem {stem} replaces the first convolution and max pooling of a ResNet, which {name} "
            "does not have; set pretrain.encoder.stem=imagenet"
        )
    encoder.conv1 = nn.Conv2d(conv.in_channels, conv.out_channels, 3, stride=1, padding=1, bias=False)
    # As timm and torchvision initialize every convolution of a ResNet.
    nn.init.kaiming_normal_(encoder.conv1.weight, mode="fan_out", nonlinearity="relu")
    if stem == "small":
        encoder.maxpool = nn.Identity()


def feature_dim(encoder: Any) -> int:
    """Number of features of a timm network without classifier."""
    return int(encoder.head_hidden_size)
