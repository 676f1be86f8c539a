"""The state of a training."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from byol_kedro.byol.method import Byol, Method
from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.optimizer import create_optimizer
from byol_kedro.byol.seeds import AUGMENTATION, stream_seed

if TYPE_CHECKING:
    from byol_kedro.parameters import Pretrain


@dataclass
class TrainState:
    """Everything that a step changes: a training that is restored to it continues exactly as if it had not stopped.

    The epoch and the images of a step follow from `step` and the plan.

    Attributes:
        network: the networks and their loss.
        optimizer: its learning rate is set in each step.
        generator: draws the augmentations; on the CPU, so that no step waits for the device.
        scaler: the loss scaling of float16; disabled otherwise.
        step: steps done.
        skipped: steps that changed no weight, since a float16 gradient overflowed.
        devices: numbers of devices that the steps were computed on, in this order; a number is listed again if it
            changed in between.
        lineage: names of the trainings that the steps are from, oldest first: those that this one continues, and its
            own.
    """

    network: Method
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    scaler: torch.amp.GradScaler
    step: int = 0
    skipped: int = 0
    devices: tuple[int, ...] = ()
    lineage: tuple[str, ...] = ()

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return next(self.network.parameters()).device


def initial_state(parameters: "Pretrain", image_size: int, seed: int, device: torch.device) -> TrainState:
    """The state at step 0. All random numbers depend on `seed` alone.

    Raises:
        UserError: see `create_encoder`.
    """
    settings = parameters.encoder
    encoder = create_encoder(settings.name, settings.stem, settings.zero_init_residual, seed, image_size=image_size)
    network: Method = Byol(encoder, parameters.heads.hidden_dim, parameters.heads.projection_dim, seed)
    # Convolutions over channels-last images are faster on GPUs and, by a tenth, on CPUs.
    network = network.to(device).to(memory_format=torch.channels_last).train()
    if parameters.compile:
        # In place: the weights keep their names, and calls of the encoder alone are not compiled.
        network.compile()
    return TrainState(
        network=network,
        optimizer=create_optimizer(network, parameters.optimizer),
        generator=augmentation_generator(seed),
        scaler=torch.amp.GradScaler(device.type, enabled=parameters.precision == "float16"),
    )


def augmentation_generator(seed: int) -> torch.Generator:
    """The generator that draws the views of a training with `seed`, at step 0."""
    return torch.Generator().manual_seed(stream_seed(seed, AUGMENTATION))
