"""Inputs of the nodes that use an encoder."""

from byol_kedro.parameters import Baselines
from byol_kedro.pipelines.extract.nodes import extract_references
from tests.support.pretrain_inputs import split

TRAIN, TEST = split("train", 9), split("test", 7)


def references_of(encoder, references=None, supervised=False, train=TRAIN):
    baselines = Baselines(pca_components=2, supervised=supervised)
    return extract_references(encoder, train, TEST, references or {}, baselines, "cpu")
