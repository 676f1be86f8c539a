"""What pretraining leaves behind, in the form that the catalog keeps."""

import dataclasses
import json

import pandas as pd

from byol_kedro.byol.encoder import EncoderHeader, to_arrays
from byol_kedro.byol.monitor import Row
from byol_kedro.byol.networks import feature_dim
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.statistics import channel_statistics
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.parameters import Pretrain


def describe(
    state: TrainState, parameters: Pretrain, images_unlabeled: Images, images_train: Images, seed: int
) -> EncoderHeader:
    """The header of the encoder that is to be trained; reads all images where they are to be normalized."""
    pixels = [images_unlabeled.pixels, images_train.pixels]
    mean, std = channel_statistics(pixels) if parameters.normalize else ((0.0,) * 3, (1.0,) * 3)
    return EncoderHeader(
        architecture=parameters.encoder.name,
        stem=parameters.encoder.stem,
        zero_init_residual=parameters.encoder.zero_init_residual,
        image_size=images_train.pixels.shape[-1],
        feature_dim=feature_dim(state.network.encoder),
        mean=mean,
        std=tuple(deviation or 1.0 for deviation in std),  # a channel that never changes is not divided by 0
        data=images_train.source,
        data_fingerprint=f"{images_unlabeled.fingerprint}:{images_train.fingerprint}",
        recipe=parameters.recipe,
        epochs=parameters.epochs,
        batch_size=parameters.batch_size * parameters.accumulation_steps,
        projection_dim=parameters.heads.projection_dim,
        hidden_dim=parameters.heads.hidden_dim,
        seed=seed,
    )


def encoder_of(state: TrainState, header: EncoderHeader, parameters: Pretrain) -> Tensors:
    """The encoder's weights by timm's names.

    Its header has more than `EncoderHeader`: `init_from`, empty for a start from scratch; `training`, all
    parameters of the training as JSON; `image_passes`, how many images its steps have seen; `lineage`, names of
    folders of checkpoints as JSON, of the trainings that it continues and, last, its own.
    """
    return Tensors(to_arrays(state.network.encoder), _header(state, header, parameters))


def heads_of(state: TrainState, header: EncoderHeader, parameters: Pretrain) -> Tensors:
    """`projector.*`, `predictor.*`, `target.encoder.*` and `target.projector.*`: the rest of both networks."""
    arrays = to_arrays(state.network)
    return Tensors(
        {k: v for k, v in arrays.items() if not k.startswith("encoder.")}, _header(state, header, parameters)
    )


def _header(state: TrainState, header: EncoderHeader, parameters: Pretrain) -> dict[str, str]:
    return {
        **header.to_dict(),
        # Whoever reads a result has to see that its encoder did not start from scratch.
        "init_from": parameters.init_from or "",
        "training": parameters.model_dump_json(),
        "lineage": json.dumps(state.lineage),
        "image_passes": str(state.step * parameters.batch_size * parameters.accumulation_steps),
    }


def history_of(rows: list[Row]) -> pd.DataFrame:
    """One row each, with the columns of `Row`."""
    return pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=[f.name for f in dataclasses.fields(Row)])
