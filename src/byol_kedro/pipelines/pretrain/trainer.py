"""A training with everything around the loop: resuming, progress, checkpoints, TensorBoard, online evaluation."""

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import torch

from byol_kedro.byol.batches import load_images
from byol_kedro.byol.distributed import ALONE, Group
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.train import DivergedError, OnStep, train
from byol_kedro.datasets.checkpoints import TrainingFolder
from byol_kedro.datasets.events import EventFolder
from byol_kedro.datasets.images import Images
from byol_kedro.errors import UserError
from byol_kedro.pipelines.pretrain.checkpointing import Checkpointer, Stop, StopRequest
from byol_kedro.pipelines.pretrain.online_eval import online_evaluation
from byol_kedro.pipelines.pretrain.preview import view_grid
from byol_kedro.pipelines.pretrain.progress import ProgressReport, log_busy_machine, log_plan
from byol_kedro.pipelines.pretrain.resume import resume_or_initialize
from byol_kedro.pipelines.pretrain.tensorboard import tensorboard_callback


@dataclass(frozen=True)
class Trainer:
    """Trains `state` along `plan`. `monitor` receives the history, `folder` the checkpoints.

    Of a `group` of several processes each one has a trainer, and the main one does what is done once.
    """

    plan: Plan
    state: TrainState
    monitor: Monitor
    header: EncoderHeader
    folder: TrainingFolder
    group: Group = ALONE

    def fit(
        self,
        images_unlabeled: Images,
        images_train: Images,
        events: EventFolder | None,
        *,
        progress: AbstractContextManager[OnStep] | None = None,
        stop: AbstractContextManager[Stop] | None = None,
    ) -> None:
        """Train to the end of the plan, from the newest checkpoint if there is one.

        Args:
            images_unlabeled: training images without labels.
            images_train: training images; those with a label are used for the online evaluation.
            events: where TensorBoard's event files are written, or None.
            progress: shows the progress; by default on the screen.
            stop: says when to stop; by default when a signal arrives.

        Raises:
            UserError: the training diverges, or cannot start (see `resume_or_initialize`).
            SystemExit: A signal stopped the training.
        """
        plan, state, group = self.plan, self.state, self.group
        images = load_images([images_unlabeled.pixels, images_train.pixels], state.device)
        evaluate = None
        if group.is_main:
            evaluate = online_evaluation(images_train, plan.parameters.online_knn, self.header, plan.seed, state.device)
            resume_or_initialize(self.folder, plan, state, self.monitor)
        group.copy_main(state, self.monitor)
        if state.step < plan.steps:
            if state.devices[-1:] != (group.size,):
                state.devices = (*state.devices, group.size)
            if group.is_main:
                self._log_start()
        on_step: list[OnStep] = []
        with ExitStack() as stack:
            if group.is_main:
                name = f"{plan.parameters.recipe}-{self.folder.path.name}"
                write_curves = tensorboard_callback(
                    events, name, state, self.monitor, lambda: view_grid(plan, images_unlabeled, images_train)
                )
                shown = progress or ProgressReport(plan, state.device.type.upper())
                write, show = stack.enter_context(write_curves), stack.enter_context(shown)
                on_step = [show, write]
            stopped = stack.enter_context(stop or StopRequest())
            try:
                train(
                    state,
                    images,
                    plan,
                    self.header.mean,
                    self.header.std,
                    monitor=self.monitor,
                    on_step=on_step,
                    on_checkpoint=Checkpointer(self.folder, plan, stopped, group),
                    evaluate=evaluate,
                    group=group,
                )
            except DivergedError as error:
                last = self.folder.newest()
                kept = f"the last checkpoint is of step {last.step}" if last else "there is no checkpoint"
                raise UserError(f"{error}; no encoder is written, {kept}") from None

    def _log_start(self) -> None:
        log_plan(self.plan, self.header.image_size)
        if self.state.device.type == "cpu":
            log_busy_machine(torch.get_num_threads())
