"""All parameters: a pydantic model for each block and one for the root.

Values are in conf/<environment>/parameters*.yml. The models have no defaults, which would hide missing values.
This module is longer than others, so that all parameters are in one place.
"""

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from byol_kedro.evaluation.probes.base import PROBES, InverseStrength
from byol_kedro.files.paths import expand, expand_or_address
from byol_kedro.parameter_types import Block, Fraction, LearningRate, NonNegative, PositiveInt


def _address(url: str) -> str:
    urlsplit(url).port  # noqa: B018  # raises ValueError
    return url


def _number_as_text(value: object) -> object:
    """Kedro does not validate the input of a node that may be a number or a text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _reference(weights: str) -> str:
    """Expand the path in name@file; a name of timm is unchanged."""
    name, at, file = weights.partition("@")
    return f"{name}@{expand(file)}" if at else name


def _encoder_source(text: str) -> str:
    """Expand the path in name@file or of a file; a name of timm is unchanged."""
    return expand(text) if "/" in text.partition("@")[0] else _reference(text)


# Of each group one parameter has a value. A value in an environment or on the command line replaces that of another one
# in the files before.
ALTERNATIVES = (("pretrain.epochs", "pretrain.steps"),)

RawRoot = Annotated[str, AfterValidator(expand_or_address)]
LocalPath = Annotated[str, AfterValidator(expand)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Address = Annotated[str, Field(pattern=r"^(https?://.+|file:///.+|never)$"), AfterValidator(_address)]
Devices = Annotated[str, BeforeValidator(_number_as_text), Field(pattern=r"^(auto|[1-9]\d{0,3})$")]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]


class Photos(Block):
    """Number of patches from each photograph of the `photos` source."""

    unlabeled: Annotated[int, Field(ge=0)]
    train: PositiveInt
    test: PositiveInt


class Folder(Block):
    """Of the sources `folder`, `csv`, `parquet` and `webdataset`.

    At most the part `max_broken` of the images in a split may be unreadable; above 0, one is always allowed.
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
    """A timm architecture, and its stem.

    `stem: small_pool` replaces a ResNet's first 7×7 stride-2 convolution by a 3×3 with stride 1; `small` also removes
    the max pooling after it.
    """

    name: str
    stem: Literal["imagenet", "small_pool", "small"]
    zero_init_residual: bool


class Heads(Block):
    """Projector and predictor: MLPs with one hidden layer."""

    hidden_dim: PositiveInt
    projection_dim: PositiveInt


class View(Block):
    """The distribution of one augmented view; `*_prob` are probabilities."""

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
    def check_ranges(self) -> "View":
        """Check that ranges are ordered and that a crop is not larger than the image."""
        for name in ("scale", "ratio", "blur_sigma"):
            low, high = getattr(self, name)
            if low > high:
                message = f"{name}: found {low} to {high}, expected low to high"
                raise ValueError(message)
        if self.scale[1] > 1:
            message = f"scale: found {self.scale[1]}, expected a fraction of the image, at most 1"
            raise ValueError(message)
        return self


class Views(Block):
    """The distributions of the two views of an image, and their side in pixels; null is that of the images."""

    size: Annotated[int, Field(ge=8, le=1024)] | None
    first: View
    second: View


class Optimizer(Block):
    """`lr` is the peak learning rate, not scaled by the batch size. Warmup is linear.

    `warmup` is a part of the steps.
    """

    name: Literal["sgd", "lars", "adamw"]
    lr: LearningRate
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NonNegative
    decay_norms_and_biases: bool
    schedule: Literal["cosine", "constant"]
    warmup: Annotated[float, Field(ge=0, lt=1)]


class Tau(Block):
    """The moving average of the target network."""

    base: Fraction
    schedule: Literal["cosine", "constant"]


class OnlineKnn(Block):
    """kNN top-1 within train during the training, on at most `images` labeled images for each of fit and test.

    There are `evaluations` of it, evenly spaced in steps, the last one after the last step; none if it is 0.
    """

    evaluations: Annotated[int, Field(ge=0, lt=2**31)]
    images: PositiveInt


class Checkpoint(Block):
    """A checkpoint is written every `minutes` or, if given, `steps`, and at the end; the newest `keep` are kept."""

    minutes: PositiveFloat
    steps: PositiveInt | None
    keep: PositiveInt


class Pretrain(Block):
    """Training of the encoder with BYOL, for a number of `epochs` or of `steps`; the other one is null.

    `continue_from` is the length of a shorter training, in the same unit.
    """

    recipe: str
    encoder: Encoder
    heads: Heads
    views: Views
    normalize: bool
    epochs: PositiveInt | None
    steps: PositiveInt | None
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
    continue_from: PositiveInt | None

    @property
    def unit(self) -> Literal["epochs", "steps"]:
        """The parameter that has the length of the training."""
        return "steps" if self.epochs is None else "epochs"

    @property
    def length(self) -> int:
        """The length of the training in its `unit`."""
        return self.epochs or self.steps or 0

    @model_validator(mode="after")
    def check_length(self) -> "Pretrain":
        """Check that one length is given, and that the training to continue is shorter."""
        if (self.epochs is None) == (self.steps is None):
            both = f"epochs {self.epochs} and steps {self.steps}"
            found = "neither epochs nor steps" if self.epochs is None else both
            message = f"found {found}, expected exactly one of them; set the other to null"
            raise ValueError(message)
        if self.continue_from is not None and self.continue_from >= self.length:
            message = f"continue_from must be below {self.unit}, found {self.continue_from} of {self.length}"
            raise ValueError(message)
        return self


class ImportEncoder(Block):
    """Encoders that were trained elsewhere: `encoder_from` and `references`.

    Attributes:
        use_metadata: whether timm's metadata, this project's header and the published trainer's settings take
            precedence over the values of this block.
        image_size: side of the images in pixels that the network gets.
        crop: the part of the shorter side that remains after resizing.
        resample: filter of the resizing.
        mean: mean of each channel, in [0, 1] units, for the normalization.
        std: standard deviation of each channel.
        stem: stem of a ResNet, as `pretrain.encoder.stem`.
    """

    use_metadata: bool
    image_size: Annotated[int, Field(ge=8, le=1024)]
    crop: Annotated[float, Field(gt=0, le=1)]
    resample: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
    mean: tuple[Fraction, Fraction, Fraction]
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    stem: Literal["imagenet", "small_pool", "small"]


class Baselines(Block):
    """Baselines; `supervised` trains the same network with the training labels, for as many steps as BYOL."""

    pca_components: PositiveInt
    supervised: bool


class FewLabels(Block):
    """Few-label evaluation with a logistic regression.

    Attributes:
        counts: numbers of labeled images per class; all labels are always evaluated as well.
        draws: random draws of images for each number.
        c: inverse regularization strength.
    """

    counts: Annotated[list[PositiveInt], Field(min_length=1)]
    draws: PositiveInt
    c: InverseStrength


class ProbesBlock(Block):
    """Base of `Probes`, which adds the block of each registered probe."""

    few_labels: FewLabels

    def of(self, name: str) -> Block:
        """The block of the probe `name`."""
        block: Block = getattr(self, name)
        return block


# The fields follow from the registry, which a type checker cannot evaluate.
if TYPE_CHECKING:
    Probes = ProbesBlock
    ProbeName = str
else:
    Probes = create_model(
        "Probes",
        __base__=ProbesBlock,
        __module__=__name__,
        __doc__="The block of each registered probe (`evaluation.probes.base.PROBES`), by its name, and `few_labels`.",
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
    """The probe that classifies new images, and the number of nearest known images to list."""

    probe: ProbeName
    neighbors: PositiveInt


class Curate(Block):
    """The number of nearest images that tell outliers, and the number of folds of the cross-validation of labels."""

    neighbors: PositiveInt
    folds: Annotated[int, Field(ge=2)]


class Explore(Block):
    """The map of the encoder's features.

    Attributes:
        method: `tsne` or, with the extra `umap`, `umap`.
        points: images on the map at most.
        clusters: number of clusters.
        neighbors: nearest images to show of each.
    """

    method: Literal["tsne", "umap"]
    points: Annotated[int, Field(ge=10)]
    clusters: PositiveInt
    neighbors: PositiveInt


class Parameters(Block):
    """All parameters of a run, as in its manifest."""

    data_root: LocalPath
    source: str
    raw_root: RawRoot
    raw_credentials: str | None
    raw_url: Address | None
    predict_root: LocalPath | None
    seed: Seed
    device: Device
    devices: Devices
    max_restarts: Annotated[int, Field(ge=0, lt=2**31)]
    tensorboard: bool
    ingest: Ingest
    pretrain: Pretrain
    encoder_from: Annotated[str, AfterValidator(_encoder_source)] | None
    import_encoder: ImportEncoder
    baselines: Baselines
    references: dict[str, Annotated[str, AfterValidator(_reference)]]
    probes: Probes
    pair_model: PairModelParams
    predict: Predict
    curate: Curate
    explore: Explore

    @field_validator("tensorboard")
    @classmethod
    def check_tensorboard(cls, value: bool) -> bool:
        """Check that tensorboard is installed if it is enabled."""
        if value and find_spec("tensorboard") is None:
            message = "not installed; run pip install tensorboard, or set tensorboard=false"
            raise ValueError(message)
        return value

    @field_validator("references")
    @classmethod
    def check_reference_names(cls, value: dict[str, str]) -> dict[str, str]:
        """Check that references have valid names, other than those of built-in ones."""
        for name in value:
            if name in {"untrained", "supervised"} or not re.fullmatch("[A-Za-z0-9_-]+", name):
                message = f"{name!r} cannot name a reference; use letters, digits, _ and -, not untrained or supervised"
                raise ValueError(message)
        return value

    @field_validator("source")
    @classmethod
    def check_source(cls, value: str, info: ValidationInfo) -> str:
        """Check that the source is in the context's `sources`, if given."""
        known = (info.context or {}).get("sources")
        if known is not None and value not in known:
            message = f"unknown source, expected one of {', '.join(sorted(known))}"
            raise ValueError(message)
        return value
