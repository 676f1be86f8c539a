"""Features of the labelled pictures: computed once, then used by every classifier."""

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.encoder import EncoderHeader, restore_encoder, untrained_encoder
from byol_kedro.byol.features import encode
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Array, Tensors
from byol_kedro.pipelines.extract.latents import derived_header, latents


def extract(encoder: Tensors, images_train: Images, images_test: Images, device: str) -> tuple[Tensors, Tensors]:
    """`features` (N, D) float32, `labels` (N,) and `index` (N,) int64 of train and of test, row for row."""
    where, header = resolve_device(device), EncoderHeader.from_dict(encoder.header)
    model = restore_encoder(header, encoder.arrays)
    train, test = (latents(model, header, images, where, encoder) for images in (images_train, images_test))
    return train, test


def extract_references(encoder: Tensors, images_train: Images, images_test: Images, device: str) -> Tensors:
    """`untrained.{train,test}.features` (N, D) float32 and `.labels` (N,) int64: the same network, untrained.

    `untrained_encoder` says which of the possible untrained networks, and why.
    """
    where, header = resolve_device(device), EncoderHeader.from_dict(encoder.header)
    model = untrained_encoder(header)
    arrays: dict[str, Array] = {}
    for split, images in (("train", images_train), ("test", images_test)):
        arrays[f"untrained.{split}.features"] = encode(model, images.pixels, header, where)
        arrays[f"untrained.{split}.labels"] = images.labels
    return Tensors(arrays, derived_header(encoder, images_train, images_test))
