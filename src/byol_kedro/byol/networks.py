"""The encoder, by its timm name, and the pair of networks that BYOL trains."""

import copy
import difflib
from typing import Any

import torch
from torch import Tensor, nn

from byol_kedro.byol.heads import mlp_head
from byol_kedro.byol.seeds import HEADS, stream_seed
from byol_kedro.errors import UserError


def create_encoder(
    name: str, stem: str, zero_init_residual: bool, seed: int, *, image_size: int | None = None
) -> nn.Module:
    """A timm network without its classifier: (N, 3, H, W) float32 → (N, feature_dim) float32.

    Parameter names are timm's (for ResNets torchvision's too). `stem: small` gives a ResNet a 3x3 stride-1
    `conv1` and no max pooling, `imagenet` is the architecture's own. `image_size` in pixels reaches the
    architectures that are built for one size (transformers). The weights depend on `seed` alone and the
    global generator is left as it was.

    Raises:
        UserError: unknown architecture; a stem, or residual branches to zero, that it does not have.
    """
    wanted = {"zero_init_last": zero_init_residual, "img_size": image_size}
    with torch.random.fork_rng(devices=[]):
        encoder: nn.Module
        encoder, refused = _build(name, wanted, seed)
        if zero_init_residual and "zero_init_last" in refused:
            raise UserError(
                f"pretrain.encoder: {name} has no zero-initialised residual branches; "
                "set pretrain.encoder.zero_init_residual=false"
            )
        if stem == "small":
            shrink_stem(encoder, name)
    return encoder


def _build(name: str, wanted: dict[str, Any], seed: int) -> tuple[Any, set[str]]:
    """The network, made with the `wanted` options that its constructor knows, and the names of the others."""
    import timm  # noqa: PLC0415  # takes seconds to import

    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3) or ["resnet18", "resnet50"]
        raise UserError(
            f"pretrain.encoder.name: timm has no architecture {name!r}; close names: {', '.join(close)} "
            "(all: timm.list_models())"
        )
    options = dict(wanted)
    while True:
        torch.manual_seed(seed)
        try:
            model = timm.create_model(name, num_classes=0, pretrained=False, **options)
        except TypeError as error:
            refused = [o for o in options if f"unexpected keyword argument '{o}'" in str(error)]
            if not refused:
                raise
            del options[refused[0]]
        except RuntimeError as error:
            raise UserError(f"pretrain.encoder.name: {error}; give the architecture alone") from error
        else:
            return model, wanted.keys() - options.keys()


def shrink_stem(encoder: Any, name: str) -> None:
    conv = getattr(encoder, "conv1", None)
    if not isinstance(conv, nn.Conv2d) or not isinstance(getattr(encoder, "maxpool", None), nn.MaxPool2d):
        raise UserError(
            f"pretrain.encoder: stem small replaces a ResNet's one convolution and max pooling, which {name} "
            "does not have; set pretrain.encoder.stem=imagenet"
        )
    encoder.conv1 = nn.Conv2d(conv.in_channels, conv.out_channels, 3, stride=1, padding=1, bias=False)
    # As timm and torchvision initialise every convolution of a ResNet.
    nn.init.kaiming_normal_(encoder.conv1.weight, mode="fan_out", nonlinearity="relu")
    encoder.maxpool = nn.Identity()


class Target(nn.Module):
    """Encoder and projector whose weights follow the online network's; nothing in it has a gradient."""

    def __init__(self, encoder: nn.Module, projector: nn.Module) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder)
        self.projector = copy.deepcopy(projector)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, view: Tensor) -> Tensor:
        """Projection (N, projection_dim) of a view (N, 3, H, W)."""
        projection: Tensor = self.projector(self.encoder(view))
        return projection


class Byol(nn.Module):
    """The online network (encoder, projector, predictor) and its target (paper 2006.07733, §3.1).

    The heads are initialised from `seed`; the target starts as a copy of encoder and projector. It has
    BatchNorm buffers of its own, which its own passes fill: the moving average is over parameters only.
    """

    def __init__(self, encoder: nn.Module, hidden_dim: int, projection_dim: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(seed, HEADS))
            self.projector = mlp_head(feature_dim(encoder), hidden_dim, projection_dim)
            self.predictor = mlp_head(projection_dim, hidden_dim, projection_dim)
        self.target = Target(encoder, self.projector)

    def forward(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """The online network: projection and prediction, both (N, projection_dim), of a view (N, 3, H, W)."""
        projection: Tensor = self.projector(self.encoder(view))
        prediction: Tensor = self.predictor(projection)
        return projection, prediction

    def moving_pairs(self) -> tuple[list[Tensor], list[Tensor]]:
        """Parameters of encoder and projector, and those of the target in the same order."""
        online: list[Tensor] = [*self.encoder.parameters(), *self.projector.parameters()]
        return online, list(self.target.parameters())


def feature_dim(encoder: Any) -> int:
    """Number of features that a timm network without classifier gives for each picture."""
    return int(encoder.head_hidden_size)
