"""Artifacts, online evaluation and progress of pretraining."""

import dataclasses
import logging
import math

import numpy as np
import pytest
import torch

from byol_kedro.byol.encoder import EncoderHeader, restore_encoder
from byol_kedro.byol.monitor import Row
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.statistics import channel_statistics
from byol_kedro.datasets.provenance import training_of
from byol_kedro.errors import UserError
from byol_kedro.log import format_duration
from byol_kedro.pipelines.pretrain import create_pipeline
from byol_kedro.pipelines.pretrain.artifacts import encoder_header
from byol_kedro.pipelines.pretrain.online_eval import online_evaluation
from byol_kedro.pipelines.pretrain.progress import ProgressReport, log_plan
from tests.support.encoders import HEADER
from tests.support.kedro_runs import ROOT
from tests.support.pretrain_inputs import TRAIN, UNLABELED, split
from tests.support.resuming import run
from tests.support.trainings import CPU, SIZE, recipe


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run(tmp_path_factory.mktemp("checkpoints"), recipe(accumulation_steps=2, batch_size=5), 3)


def test_the_header_describes_the_training(trained):
    header = EncoderHeader.from_dict(trained[0].header)
    mean, std = channel_statistics([UNLABELED.pixels, TRAIN.pixels])
    assert header == EncoderHeader(
        architecture="test_resnet",
        stem="imagenet",
        zero_init_residual=False,
        image_size=SIZE,
        feature_dim=96,
        mean=mean,
        std=std,
        data="array",
        data_fingerprint="unlabeled-mark:train-mark",
        recipe="test",
        epochs=2,
        steps=4,
        batch_size=10,
        projection_dim=8,
        hidden_dim=24,
        seed=3,
    )


def test_the_header_has_all_parameters_and_the_image_passes(trained):
    assert training_of(trained[0]) == (recipe(accumulation_steps=2, batch_size=5), 40)  # 4 steps of 2 × 5


def test_a_training_in_steps_ends_within_an_epoch(tmp_path):
    encoder, _, history = run(tmp_path, recipe(epochs=None, steps=5))  # two steps an epoch
    header = EncoderHeader.from_dict(encoder.header)
    assert (header.steps, header.epochs, encoder.header["image_passes"]) == (5, 2.5, "40")
    assert history["epoch"].tolist() == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert history["knn_top1"].notna().tolist() == [False, False, True, False, True]


def test_without_evaluations_the_history_has_no_knn(tmp_path):
    history = run(tmp_path, recipe(online_knn={"evaluations": 0}))[2]
    assert not history[["knn_top1", "effective_rank"]].notna().any(axis=None)
    assert history["step"].iloc[-1] == 4


def test_a_constant_channel_has_std_one():
    flat = [dataclasses.replace(images, pixels=images.pixels.copy()) for images in (UNLABELED, TRAIN)]
    for images in flat:
        images.pixels[:, 2] = 77
    header = encoder_header(initial_state(recipe(), SIZE, 0, CPU), Plan(recipe(), 22, 0), *flat)
    assert (header.mean[2], header.std[2]) == (77 / 255, 1)


def test_the_encoder_is_trained_and_can_be_restored(trained):
    encoder = trained[0]
    restored = restore_encoder(EncoderHeader.from_dict(encoder.header), encoder.arrays)
    start = initial_state(recipe(), SIZE, 3, CPU).network.encoder
    assert not torch.equal(restored.state_dict()["bn1.weight"], start.state_dict()["bn1.weight"])


def test_encoder_and_heads_together_are_both_networks(trained):
    network = initial_state(recipe(), SIZE, 0, CPU).network
    encoder, heads, _ = trained
    names = {f"encoder.{name}" for name in encoder.keys()} | set(heads.keys())  # noqa: SIM118  # Tensors is no dict
    assert names == set(network.state_dict())


def test_the_history_ends_with_the_last_step_and_its_knn(trained):
    history = trained[2]
    assert list(history.columns) == [field.name for field in dataclasses.fields(Row)]
    assert history["step"].tolist() == [1, 2, 3, 4]
    assert history["epoch"].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert history["knn_top1"].notna().tolist() == [False, True, False, True]
    assert history["effective_rank"].notna().tolist() == [False, True, False, True]


def test_without_normalization_mean_is_zero_and_std_one(tmp_path):
    encoder, _, _ = run(tmp_path, recipe(normalize=False, epochs=1))
    header = EncoderHeader.from_dict(encoder.header)
    assert (header.mean, header.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_too_few_images_are_a_user_error(tmp_path):
    with pytest.raises(UserError, match="found 22"):
        run(tmp_path, recipe(batch_size=23))


def test_pretraining_reads_no_test_image():
    assert create_pipeline().inputs() == {
        "images_unlabeled",
        "images_train",
        "checkpoints",
        "event_files",
        "params:pretrain",
        "params:seed",
        "params:device",
        "params:devices",
        "params:max_restarts",
        "params:tensorboard",
    }


def evaluated(network, images, per_side):
    settings = recipe(online_knn={"images": per_side}).online_knn
    return online_evaluation(images, settings, HEADER, 0, CPU)(network)


class Brightness(torch.nn.Module):
    """Features that separate dark from bright images."""

    head_hidden_size = 2

    def forward(self, x):
        level = x.mean(dim=(1, 2, 3))
        return torch.stack((level, -level), dim=1)


def brightness():
    network = torch.nn.Module()
    network.encoder, network.projector = Brightness(), torch.nn.Linear(2, 2)
    return network


def dark_and_bright(labels):
    pixels = np.where(np.arange(40)[:, None, None, None] % 2, 250, 5).astype(np.uint8)
    return dataclasses.replace(TRAIN, pixels=np.broadcast_to(pixels, (40, 3, 4, 4)), labels=labels)


@pytest.mark.parametrize(("labels", "expected"), [(np.arange(40) % 2, 1.0), (1 - np.arange(40) // 20, None)])
def test_knn_is_perfect_for_separating_features_and_chance_otherwise(labels, expected):
    top1 = evaluated(brightness(), dark_and_bright(labels), 20)["knn_top1"]
    assert top1 == expected if expected is not None else 0.2 < top1 < 0.8


def test_knn_reads_labeled_images_only(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "byol_kedro.pipelines.pretrain.online_eval.encode",
        lambda _encoder, pixels, *_: seen.append(pixels) or np.ones((len(pixels), 2), np.float32),
    )
    labels = np.where(np.arange(40) < 30, np.arange(40) % 2, -1)
    images = dataclasses.replace(split("train", 40), labels=labels)
    evaluated(brightness(), images, 10)
    rows = {image.tobytes() for image in seen[0]}
    labeled = {image.tobytes() for image in images.pixels[:30]}
    assert len(rows) == len(seen[0]) == 20
    assert rows <= labeled


def test_without_labels_there_is_a_rank_but_no_knn():
    assert evaluated(brightness(), UNLABELED, 10).keys() == {"effective_rank"}


def test_fewer_than_two_images_are_not_evaluated(caplog):
    caplog.set_level("INFO")
    one = dataclasses.replace(TRAIN, pixels=TRAIN.pixels[:1], labels=TRAIN.labels[:1])
    assert evaluated(brightness(), one, 10) == {}
    (message,) = caplog.messages
    assert "no kNN top-1 and no effective rank: 1 of 1 training images have a label" in message


def test_the_rank_is_that_of_the_projections():
    flat, line = brightness(), brightness()
    with torch.no_grad():
        flat.projector.weight.zero_()  # collapsed: all images give one vector
        line.projector.weight.copy_(torch.eye(2))
        line.projector.bias.copy_(torch.tensor([5.0, 5.0]))  # not along the direction in which the images differ
    images = dark_and_bright(np.arange(40) % 2)
    assert evaluated(flat, images, 20)["effective_rank"] == pytest.approx(1, abs=1e-4)
    assert 1.05 < evaluated(line, images, 20)["effective_rank"] <= 2.001


def test_a_training_of_one_step_logs_its_last_line(caplog):
    plan = Plan(recipe(epochs=1), 8, 0)
    with caplog.at_level(logging.INFO), ProgressReport(plan, "CPU", terminal=False) as report:
        report(1, Row(1, 1.0, 3.0, 0.1, 0.9, 8.0, 1.0, 0.25))
    assert [record.getMessage() for record in caplog.records] == [
        "step 1 of 1 (epoch 1.0), loss 3.000, kNN top-1 within train 25.0%, done"
    ]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def log_lines(caplog, seconds_per_step, *, steps=40, std=1.0, upto=40):
    """The log lines of a training of `steps` steps with a row every ten steps."""
    clock = Clock()
    plan = Plan(recipe(epochs=steps // 10), 80, 0)  # ten steps an epoch
    with caplog.at_level(logging.INFO), ProgressReport(plan, "CPU", terminal=False, clock=clock) as report:
        for done in range(1, upto + 1):
            clock.now += seconds_per_step
            row = Row(done, done / 10, 3.0, 0.1, 0.9, 8.0, std, 0.25) if done % 10 == 0 else None
            report(done, row)
    return [record.getMessage() for record in caplog.records]


def test_the_plan_is_logged(caplog):
    with caplog.at_level(logging.INFO):
        for size in (None, 64):
            given = recipe(epochs=80, batch_size=256, optimizer={"warmup": 0.025}, views={"size": size})
            log_plan(Plan(given, 3000, 0), 96)
    rest = "in steps of 256: 880 steps (80 epochs of 11), 22 of them warmup, in float32"
    assert [message.partition("; ")[0] for message in caplog.messages] == [
        f"3,000 images of 96×96 {rest}",
        f"3,000 images of 96×96 (views of 64×64) {rest}",
    ]


MEASURED = {
    100: "7.7 points lower after 230 steps",
    230: "7.7 points lower after 230 steps and 3.8 points lower after 265 steps",
    265: "3.8 points lower after 265 steps and level after 920 steps",
    266: "3.8 points lower after 265 steps and level after 920 steps",
    920: "level after 920 steps and 3.3 points higher after 3,220 steps",
    9000: "15.3 points higher after 4,000 steps",
}


@pytest.mark.parametrize("steps", MEASURED)
def test_the_plan_says_what_as_many_steps_were_good_for_and_warns_below_those_that_helped(caplog, steps):
    with caplog.at_level(logging.INFO):
        log_plan(Plan(recipe(epochs=None, steps=steps, batch_size=64), 3000, 0), 96)
    (record,) = caplog.records
    shown = f"top-1 of photographs was {MEASURED[steps]} (docs/results.md)"
    assert shown in record.getMessage()
    assert (record.levelno == logging.WARNING) is record.getMessage().endswith("train longer (pretrain.steps)")
    assert (record.levelno == logging.WARNING) is (steps <= 265)


@pytest.mark.parametrize(("count", "lines"), [(999, 2), (1000, 1)])
def test_a_few_hundred_images_get_the_advice_to_import_an_encoder(caplog, count, lines):
    with caplog.at_level(logging.INFO):
        log_plan(Plan(recipe(epochs=None, steps=4000, batch_size=64), count, 0), 96)
    assert len(caplog.messages) == lines
    if lines == 2:
        assert caplog.messages[1].startswith("999 images are few for a training from scratch")
        assert "--pipelines=import_encoder,evaluate --params encoder_from=" in caplog.messages[1]


def test_the_measured_steps_are_those_of_the_results_page():
    page = (ROOT / "docs/results.md").read_text("utf-8")
    assert [f"| {steps:,} |" in page for steps in (230, 920, 3220, 4000)] == [True] * 4
    assert "265 steps" in page


def test_the_estimate_of_a_long_training_suggests_the_sample(caplog):
    lines = log_lines(caplog, 10.0, steps=80_000, upto=3)
    hint = "--env=sample takes minutes, on built-in photographs"
    assert lines[0] == f"pretraining will take about 9 days on this CPU (80,000 steps, 8,000 epochs); {hint}"


def test_the_estimate_of_a_short_training_has_no_advice(caplog):
    assert log_lines(caplog, 6.0)[0] == "pretraining will take about 4 minutes on this CPU (40 steps, 4 epochs)"


def test_each_evaluation_logs_the_time_left(caplog):
    lines = log_lines(caplog, 0.5)
    assert lines[1:] == [
        "step 20 of 40 (epoch 2.0), loss 3.000, kNN top-1 within train 25.0%, 10 seconds left",
        "step 40 of 40 (epoch 4.0), loss 3.000, kNN top-1 within train 25.0%, done",
    ]


def test_a_resumed_training_estimates_what_is_left(caplog):
    clock = Clock()
    plan = Plan(recipe(epochs=4), 80, 0)
    with caplog.at_level(logging.INFO), ProgressReport(plan, "CPU", terminal=False, clock=clock) as report:
        for done in range(10, 13):
            report(done, None)
            clock.now += 6.0
    assert caplog.messages[0] == "pretraining will take about 3 minutes on this CPU (30 of 40 steps left)"


def test_a_long_epoch_logs_every_twenty_seconds(caplog):
    lines = log_lines(caplog, 7.0, upto=9)
    assert lines[1:] == ["step 4 of 40 (epoch 0.4), 4 minutes left", "step 7 of 40 (epoch 0.7), 4 minutes left"]


def test_a_collapse_is_logged_once(caplog):
    lines = log_lines(caplog, 1.0, std=1e-4)
    assert [line.split(":")[0] for line in lines].count("the features are collapsing") == 1


def test_a_terminal_shows_a_bar_and_only_the_estimate_is_logged(caplog, capsys):
    clock = Clock()
    plan = Plan(recipe(epochs=4), 80, 0)
    with caplog.at_level(logging.INFO), ProgressReport(plan, "CPU", terminal=True, clock=clock) as report:
        for done in range(1, 41):
            clock.now += 30.0
            report(done, None)
    (estimate,) = caplog.messages
    assert estimate == "pretraining will take about 20 minutes on this CPU (40 steps, 4 epochs)"
    assert "pretraining" in capsys.readouterr().out


def test_the_bar_follows_every_step_and_begins_with_the_step():
    plan = Plan(recipe(epochs=None, steps=4000), 8 * 1000, 0)
    with ProgressReport(plan, "CPU", terminal=True, clock=Clock()) as report:
        report(1250, Row(1250, 1.25, 3.0, 0.1, 0.9, 8.0, 1.0, 0.25))
        report(1251, None)
        (task,) = report._bar.tasks
        assert task.description.startswith("step 1,251 of 4,000 (epoch 1.3), ")
        assert task.description.endswith(" left, loss 3.000, kNN top-1 within train 25.0%")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (180, "3 minutes"),
        (5400, "90 minutes"),
        (777600, "9 days"),
    ],
)
def test_times_in_words(seconds, words):
    assert format_duration(seconds) == words


def test_knn_is_nan_by_default():
    assert math.isnan(Row(1, 1.0, 1.0, 0.1, 0.9, 1.0, 0.1).knn_top1)
