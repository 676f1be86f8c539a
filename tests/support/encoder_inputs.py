"""Inputs of the nodes that use an encoder."""

from byol_kedro.parameters import Baselines, ImportEncoder
from byol_kedro.pipelines.extract.nodes import extract_references
from tests.support.pretrain_inputs import split

TRAIN, TEST = split("train", 9), split("test", 7)


# As in conf/base.
SETTINGS = ImportEncoder(
    use_metadata=True,
    image_size=224,
    crop=0.875,
    resample="bilinear",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    stem="imagenet",
)


def references_of(encoder, references=None, supervised=False, train=TRAIN):
    baselines = Baselines(pca_components=2, supervised=supervised)
    return extract_references(encoder, train, TEST, references or {}, SETTINGS, baselines, "cpu")
