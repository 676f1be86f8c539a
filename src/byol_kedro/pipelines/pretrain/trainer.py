"""A training with everything around the loop: resuming, progress, checkpoints, TensorBoard, online evaluation."""

from dataclasses import dataclass

import torch

from byol_kedro.byol.batches import load_images
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.train import DivergedError, train
from byol_kedro.datasets.checkpoints import TrainingFolder
from byol_kedro.datasets.events import EventFolder
from byol_kedro.datasets.images import Images
from byol_kedro.errors import UserError
from byol_kedro.pipelines.pretrain.checkpointing import Checkpointer, StopRequest
from byol_kedro.pipelines.pretrain.online_eval import online_evaluation
from byol_kedro.pipelines.pretrain.preview import view_grid
from byol_kedro.pipelines.pretrain.progress import ProgressReport, log_busy_machine, log_plan
from byol_kedro.pipelines.pretrain.resume import resume_or_initialize
from byol_kedro.pipelines.pretrain.tensorboard import tensorboard_callback


@dataclass(frozen=True)
class Trainer:
    """Trains `state` along `plan`. `monitor` receives the history, `folder` the checkpoints."""

    plan: Plan
    state: TrainState
    monitor: Monitor
    header: EncoderHeader
    folder: TrainingFolder

    def fit(self, images_unlabeled: Images, images_train: Images, events: EventFolder | None) -> None:
        """Train to the end of the plan, from the newest checkpoint if there is one.

        Args:
            images_unlabeled: training images without labels.
            images_train: training images; those with a label are used for the online evaluation.
            events: where TensorBoard's event files are written, or None.

        Raises:
            UserError: the training diverges, or cannot start (see `resume_or_initialize`).
            SystemExit: A signal stopped the training.
        """
        plan, state = self.plan, self.state
        images = load_images([images_unlabeled.pixels, images_train.pixels], state.device)
        evaluate = online_evaluation(images_train, plan.parameters.online_knn, self.header, plan.seed, state.device)
        resume_or_initialize(self.folder, plan, state, self.monitor)
        if state.step < plan.steps:
            log_plan(plan, self.header.image_size)
            if state.device.type == "cpu":
                log_busy_machine(torch.get_num_threads())
        name = f"{plan.parameters.recipe}-{self.folder.path.name}"
        with (
            tensorboard_callback(
                events, name, state, self.monitor, lambda: view_grid(plan, images_unlabeled, images_train)
            ) as write_curves,
            ProgressReport(plan, state.device.type.upper()) as report_progress,
            StopRequest() as stop,
        ):
            try:
                train(
                    state,
                    images,
                    plan,
                    self.header.mean,
                    self.header.std,
                    monitor=self.monitor,
                    on_step=[report_progress, write_curves],
                    on_checkpoint=Checkpointer(self.folder, plan, stop),
                    evaluate=evaluate,
                )
            except DivergedError as error:
                last = self.folder.newest()
                kept = f"the last checkpoint is of step {last.step}" if last else "there is no checkpoint"
                raise UserError(f"{error}; no encoder is written, {kept}") from None
