"""Everything that may be configured: one model for each block of parameters, one root for all.

The values are in conf/<environment>/parameters*.yml; a default here would hide what an environment left out.
Longer than other files on purpose: what may be configured is to be read in one place, from top to bottom.
"""

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.files.paths import expand
from byol_kedro.parameter_types import Block, Fraction, LearningRate, NonNegative, PositiveInt


def _address(url: str) -> str:
    urlsplit(url).port  # noqa: B018  # ValueError where it is none
    return url


def _reference(weights: str) -> str:
    """A timm name, or name@file with the file's path expanded."""
    name, at, file = weights.partition("@")
    return f"{name}@{expand(file)}" if at else name


LocalPath = Annotated[str, AfterValidator(expand)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Address = Annotated[str, Field(pattern=r"^(https?://.+|file:///.+|never)$"), AfterValidator(_address)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]


class Photos(Block):
    """Of the `photos` source: the number of patches from each photograph."""

    unlabeled: Annotated[int, Field(ge=0)]
    train: PositiveInt
    test: PositiveInt


class Folder(Block):
    """Of the `folder` source: at most the part `max_broken` of the files in a split may be unreadable.

    Above 0, one unreadable file is always allowed.
    """

    max_broken: Fraction


class Ingest(Block):
    """Parameters of all sources, and a block for each source that has its own.

    `test_fraction` of train is held out if a source has no test images.
    """

    image_size: Annotated[int, Field(ge=8, le=1024)]
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    folder: Folder
    photos: Photos


class Encoder(Block):
    """A timm architecture. `stem: small` replaces a ResNet's 7×7 stride-2 stem and pooling by one 3×3."""

    name: str
    stem: Literal["imagenet", "small"]
    zero_init_residual: bool


class Heads(Block):
    hidden_dim: PositiveInt
    projection_dim: PositiveInt


class View(Block):
    """The distribution that one view is drawn from; `*_prob` are probabilities."""

    scale: tuple[PositiveFloat, PositiveFloat]
    ratio: tuple[PositiveFloat, PositiveFloat]
    hflip_prob: Fraction
    color_jitter_prob: Fraction
    brightness: Fraction
    contrast: Fraction
    saturation: Fraction
    hue: Annotated[float, Field(ge=0, le=0.5)]
    grayscale_prob: Fraction
    blur_prob: Fraction
    blur_sigma: tuple[PositiveFloat, PositiveFloat]
    solarize_prob: Fraction

    @model_validator(mode="after")
    def ranges_are_ordered(self) -> "View":
        for name in ("scale", "ratio", "blur_sigma"):
            low, high = getattr(self, name)
            if low > high:
                message = f"{name} must go from low to high, found {low} to {high}"
                raise ValueError(message)
        if self.scale[1] > 1:
            message = f"scale is a part of the image, at most 1, found {self.scale[1]}"
            raise ValueError(message)
        return self


class Views(Block):
    first: View
    second: View


class Optimizer(Block):
    """`lr` is the peak, for the batch that is configured; warm-up is linear."""

    name: Literal["sgd", "lars", "adamw"]
    lr: LearningRate
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NonNegative
    decay_norms_and_biases: bool
    schedule: Literal["cosine", "constant"]
    warmup_epochs: NonNegative


class Tau(Block):
    """The moving average of the target network."""

    base: Fraction
    schedule: Literal["cosine", "constant"]


class OnlineKnn(Block):
    """kNN top-1 on labeled images after every `every_epochs` epochs, over at most `images` a side."""

    every_epochs: PositiveInt
    images: PositiveInt


class Checkpoint(Block):
    """Written `minutes` or, where given, `steps` after the one before, and at the end; the newest `keep` stay."""

    minutes: PositiveFloat
    steps: PositiveInt | None
    keep: PositiveInt


class Pretrain(Block):
    recipe: str
    encoder: Encoder
    heads: Heads
    views: Views
    normalize: bool
    epochs: PositiveInt
    batch_size: Annotated[int, Field(ge=2)]
    accumulation_steps: PositiveInt
    optimizer: Optimizer
    tau: Tau
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    compile: bool
    online_knn: OnlineKnn
    checkpoint: Checkpoint
    resume: bool
    init_from: LocalPath | None
    continue_from_epochs: PositiveInt | None

    @model_validator(mode="after")
    def there_is_something_to_continue(self) -> "Pretrain":
        if self.continue_from_epochs is not None and self.continue_from_epochs >= self.epochs:
            message = f"continue_from_epochs must be below epochs, found {self.continue_from_epochs} of {self.epochs}"
            raise ValueError(message)
        return self


class Baselines(Block):
    """What BYOL is compared with; `supervised` trains the same network with the labels of train, as long as it."""

    pca_components: PositiveInt
    supervised: bool


class FewLabels(Block):
    """Curves over labels a class: `counts`, then all of them; `draws` random choices of images for each."""

    counts: Annotated[list[PositiveInt], Field(min_length=1)]
    draws: PositiveInt
    c: PositiveFloat


class ProbesBlock(Block):
    """What `Probes` has besides the blocks of the registered probes."""

    few_labels: FewLabels

    def of(self, name: str) -> Block:
        """The block of the probe `name`."""
        block: Block = getattr(self, name)
        return block


if TYPE_CHECKING:
    Probes = ProbesBlock
    ProbeName = str
else:
    Probes = create_model(
        "Probes",
        __base__=ProbesBlock,
        __module__=__name__,
        __doc__="A block for each registered probe (`evaluation.probes.base.PROBES`), and `few_labels`.",
        **{name: (probe.parameters, ...) for name, probe in PROBES.items()},
    )
    ProbeName = Literal[tuple(PROBES)]


class Pairs(Block):
    """Sampling of pairs, used if none are given, and the split of all pairs.

    Attributes:
        count: number of pairs to sample.
        target: target of sampled pairs.
        reference: network in reference_latents whose features define the target `cosine`.
        balanced: sample pairs evenly over the range of the target.
        column: column of the target in a pair file; null for `target` or the published 1/(psnr_1 + psnr_2).
        split: `image`: no image is in pairs of two splits; `pair`: as published.
        validation: fraction of the train images, or with the split by pair of the pairs, that is held out.
    """

    count: Annotated[int, Field(ge=10)]
    target: Literal["psnr", "ssim", "cosine"]
    reference: str
    balanced: bool
    column: str | None
    split: Literal["image", "pair"]
    validation: Annotated[float, Field(ge=0, lt=1)]


class Clusters(Block):
    """Clusters of the embeddings.

    Attributes:
        method: `silhouette` is k-means with the number of centers that has the highest silhouette.
        count: number of centers of `kmeans`, the largest number of `silhouette`.
        min_size: the smallest cluster of `hdbscan`.
    """

    method: Literal["kmeans", "silhouette", "hdbscan"]
    count: Annotated[int, Field(ge=2)]
    min_size: Annotated[int, Field(ge=2)]


class EmbeddingMap(Block):
    """A map of at most `points` test images; `umap` needs the extra `umap`."""

    method: Literal["tsne", "umap"]
    points: Annotated[int, Field(ge=10)]


class PairModelParams(Block):
    """The pair model.

    Attributes:
        pairs: sampling and split of the pairs.
        widths: widths of the hidden layers between features and embedding.
        lr: learning rate of Adam.
        schedule: schedule of the learning rate.
        batch_size: pairs per step.
        epochs: the maximum number of epochs.
        patience: epochs without a lower validation loss until training stops.
        scale_target: scale targets to a mean of 1 and learn an offset.
        weights_from: file of weights to use instead of fitting the model.
        unlabeled: whether unlabeled images have embeddings too.
        clusters: clusters of the embeddings.
        map: map of the embeddings.
    """

    pairs: Pairs
    widths: Annotated[list[PositiveInt], Field(min_length=1)]
    lr: LearningRate
    schedule: Literal["cosine", "constant"]
    batch_size: PositiveInt
    epochs: PositiveInt
    patience: PositiveInt
    scale_target: bool
    weights_from: LocalPath | None
    unlabeled: bool
    clusters: Clusters
    map: EmbeddingMap

    @field_validator("widths", mode="before")
    @classmethod
    def split_widths(cls, value: object) -> object:
        """Read `256-128-64-32`, which is shorter on the command line than a list."""
        one_word = isinstance(value, str | int) and not str(value).startswith("[")
        return str(value).split("-") if one_word else value


class Predict(Block):
    """The classifier that names the class of a new image, and how many training images are named beside it."""

    probe: ProbeName
    neighbors: PositiveInt


class Parameters(Block):
    """All parameters of a run; its dump is what the run's manifest keeps."""

    data_root: LocalPath
    source: str
    raw_root: LocalPath
    raw_url: Address | None
    predict_root: LocalPath | None
    seed: Seed
    device: Device
    tensorboard: bool
    ingest: Ingest
    pretrain: Pretrain
    baselines: Baselines
    references: dict[str, Annotated[str, AfterValidator(_reference)]]
    probes: Probes
    pair_model: PairModelParams
    predict: Predict

    @field_validator("tensorboard")
    @classmethod
    def tensorboard_is_installed(cls, value: bool) -> bool:
        if value and find_spec("tensorboard") is None:
            message = 'the package is not installed; pip install "byol-kedro[tensorboard]", or set tensorboard=false'
            raise ValueError(message)
        return value

    @field_validator("references")
    @classmethod
    def references_have_names_of_their_own(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name in {"untrained", "supervised"} or not re.fullmatch("[A-Za-z0-9_-]+", name):
                message = f"{name!r} cannot name a reference: letters, digits, _ and -, not untrained or supervised"
                raise ValueError(message)
        return value

    @field_validator("source")
    @classmethod
    def source_is_known(cls, value: str, info: ValidationInfo) -> str:
        # Whoever validates says which there are: `context={"sources": names}`.
        known = (info.context or {}).get("sources")
        if known is not None and value not in known:
            message = f"unknown source, expected one of {', '.join(sorted(known))}"
            raise ValueError(message)
        return value
