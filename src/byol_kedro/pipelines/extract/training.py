"""How an encoder was trained, as its own header says it."""

from byol_kedro.datasets.tensors import Tensors
from byol_kedro.parameters import Pretrain


def training_of(encoder: Tensors) -> tuple[Pretrain, int] | None:
    """The parameters of the encoder's training, and how many pictures its steps have seen.

    None where its header does not say, or says it in the words of another version of this project.
    """
    try:
        return Pretrain.model_validate_json(encoder.header["training"]), int(encoder.header["image_passes"])
    except (KeyError, ValueError):
        return None
