"""All that a training step changes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from byol_kedro.byol.device import autocast_dtype
from byol_kedro.byol.method import Byol, Method
from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.optimizer import create_optimizer
from byol_kedro.byol.seeds import AUGMENTATION, stream_seed

if TYPE_CHECKING:
    from byol_kedro.parameters import Pretrain


@dataclass
class TrainState:
    """What training needs to go on after any step: saved and put back, the rest runs as if it had not stopped.

    That is the state dicts of `network`, `optimizer` and `scaler` (the loss scaling of float16; switched off, it
    does nothing), the state of `generator` (which draws the augmentations, on the CPU: so no step waits for the
    device), `step`, the steps of the plan that are done, and how many of them `skipped` the optimizer. The epoch and
    the images of a step follow from `step` and the plan. `lineage` names the trainings that the steps are of, oldest
    first: one, and before it those that it continues.
    """

    network: Method
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    scaler: torch.amp.GradScaler
    step: int = 0
    skipped: int = 0
    lineage: tuple[str, ...] = ()

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


def initial_state(parameters: "Pretrain", image_size: int, seed: int, device: torch.device) -> TrainState:
    """A state at step 0 whose every random number follows from `seed`.

    Raises:
        UserError: from `create_encoder`.
    """
    wanted = parameters.encoder
    encoder = create_encoder(wanted.name, wanted.stem, wanted.zero_init_residual, seed, image_size=image_size)
    network: Method = Byol(encoder, parameters.heads.hidden_dim, parameters.heads.projection_dim, seed)
    # Convolutions over channels-last images are faster on GPUs and, by a tenth, on CPUs.
    network = network.to(device).to(memory_format=torch.channels_last).train()
    if parameters.compile:
        # In place: the weights keep their names, and calls of the encoder alone are not compiled.
        network.compile()
    in_float16 = autocast_dtype(device, parameters.precision) is torch.float16
    return TrainState(
        network=network,
        optimizer=create_optimizer(network, parameters.optimizer),
        generator=augmentation_generator(seed),
        scaler=torch.amp.GradScaler(device.type, enabled=in_float16),
    )


def augmentation_generator(seed: int) -> torch.Generator:
    """What the views of a training with `seed` are drawn from, as it is at step 0."""
    return torch.Generator().manual_seed(stream_seed(seed, AUGMENTATION))
