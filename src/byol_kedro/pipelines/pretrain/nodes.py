"""BYOL on all training pictures, labelled or not; the labels only serve the kNN figure of its history."""

import pandas as pd

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.pictures import place_pictures
from byol_kedro.byol.plan import Plan
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.train import train
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.parameters import Pretrain
from byol_kedro.pipelines.pretrain.artifacts import describe, encoder_of, heads_of, history_of
from byol_kedro.pipelines.pretrain.online_knn import online_knn
from byol_kedro.pipelines.pretrain.progress import ProgressReport


def pretrain(
    images_unlabeled: Images, images_train: Images, parameters: Pretrain, seed: int, device: str
) -> tuple[Tensors, Tensors, pd.DataFrame]:
    """The encoder, the heads with the target network, and the history of the training.

    Raises UserError for a device, an architecture or a batch that cannot be, and for a training that diverges.
    """
    where = resolve_device(device)
    plan = Plan(parameters, len(images_unlabeled) + len(images_train), seed)
    state = initial_state(parameters, images_train.pixels.shape[-1], seed, where)
    header = describe(state, parameters, images_unlabeled, images_train, seed)
    pictures = place_pictures([images_unlabeled.pixels, images_train.pixels], where)
    score = online_knn(images_train, parameters.online_knn, header, seed, where)
    with ProgressReport(plan, where.type.upper()) as watch:
        rows = train(state, pictures, plan, header.mean, header.std, watch=watch, score=score)
    return encoder_of(state, header), heads_of(state, header), history_of(rows)
