"""The artifacts of pretraining: encoder, heads, history."""

import dataclasses
import json

import pandas as pd

from byol_kedro.byol.encoder import EncoderHeader, to_arrays
from byol_kedro.byol.monitor import Row
from byol_kedro.byol.networks import feature_dim
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.statistics import channel_statistics
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.parameters import Pretrain


def encoder_header(state: TrainState, plan: Plan, images_unlabeled: Images, images_train: Images) -> EncoderHeader:
    """The header of the encoder. Reads all images if their mean and standard deviation are needed."""
    parameters = plan.parameters
    pixels = [images_unlabeled.pixels, images_train.pixels]
    mean, std = channel_statistics(pixels) if parameters.normalize else ((0.0,) * 3, (1.0,) * 3)
    return EncoderHeader(
        architecture=parameters.encoder.name,
        stem=parameters.encoder.stem,
        zero_init_residual=parameters.encoder.zero_init_residual,
        image_size=images_train.pixels.shape[-1],
        feature_dim=feature_dim(state.network.encoder),
        mean=mean,
        std=tuple(deviation or 1.0 for deviation in std),  # no division by 0 for a constant channel
        data=images_train.source,
        data_fingerprint=f"{images_unlabeled.fingerprint}:{images_train.fingerprint}",
        recipe=parameters.recipe,
        epochs=plan.epochs,
        steps=plan.steps,
        batch_size=plan.images_per_step,
        projection_dim=parameters.heads.projection_dim,
        hidden_dim=parameters.heads.hidden_dim,
        seed=plan.seed,
    )


def encoder_artifact(state: TrainState, header: EncoderHeader, parameters: Pretrain) -> Tensors:
    """The weights of the encoder by timm's names.

    The header has these entries besides those of `EncoderHeader`: `init_from`, empty for a training from scratch;
    `training`, all parameters of the training as JSON; `image_passes`, the number of images in all steps; `devices`,
    JSON numbers of devices that it was trained on, one after the other; `lineage`,
    JSON names of the checkpoint folders of the trainings that this one continues and, last, its own.
    """
    return Tensors(to_arrays(state.network.encoder), _header(state, header, parameters))


def heads_artifact(state: TrainState, header: EncoderHeader, parameters: Pretrain) -> Tensors:
    """All weights but the encoder's: `projector.*`, `predictor.*`, `target.encoder.*` and `target.projector.*`."""
    arrays = to_arrays(state.network)
    return Tensors(
        {k: v for k, v in arrays.items() if not k.startswith("encoder.")}, _header(state, header, parameters)
    )


def _header(state: TrainState, header: EncoderHeader, parameters: Pretrain) -> dict[str, str]:
    return {
        **header.to_dict(),
        # The report shows whether the encoder was trained from scratch.
        "init_from": parameters.init_from or "",
        "training": parameters.model_dump_json(),
        "devices": json.dumps(state.devices),
        "lineage": json.dumps(state.lineage),
        "image_passes": str(state.step * parameters.batch_size * parameters.accumulation_steps),
    }


def history_table(rows: list[Row]) -> pd.DataFrame:
    """The history with the fields of `Row` as columns."""
    return pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=[f.name for f in dataclasses.fields(Row)])
