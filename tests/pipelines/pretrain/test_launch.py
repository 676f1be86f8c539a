"""A training on several devices, seen from the node."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from byol_kedro.errors import UserError
from byol_kedro.pipelines.pretrain.checkpointing import StopRequest
from byol_kedro.pipelines.pretrain.launch import Processes, _restart_or_raise
from byol_kedro.pipelines.pretrain.mapped_images import describe, map_images
from byol_kedro.pipelines.pretrain.trainer import Trainer
from byol_kedro.pipelines.pretrain.worker import _Requests, _write_error
from tests.support.image_datasets import NEW, images_dataset, random_pixels, stream_of
from tests.support.pretrain_inputs import TRAIN
from tests.support.resuming import run, run_interrupted, same
from tests.support.trainings import CPU, recipe

LONG = recipe(epochs=None, steps=40, checkpoint={"steps": 2}, optimizer={"lr": 1e-5})


def workers() -> list[int]:
    command = ["ps", "-ww", "--ppid", str(os.getpid()), "-o", "pid=,args="]
    lines = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if "spawn_main" in line]


def after_a_checkpoint(folder, act):
    """Call `act` in another thread as soon as there is one more checkpoint in `folder`."""
    before = {*folder.glob("*/step-*")}

    def wait():
        while not {*folder.glob("*/step-*")} - before:
            time.sleep(0.01)
        act()

    threading.Thread(target=wait, daemon=True).start()


def test_a_training_on_two_devices_survives_a_killed_process_and_continues_one_of_one(tmp_path, caplog, capfd):
    caplog.set_level("INFO")
    once, killed = tmp_path / "once", tmp_path / "killed"
    run_interrupted(once, LONG, steps=4)
    shutil.copytree(once, killed)
    one = run(tmp_path / "one", LONG)
    undisturbed = run(once, LONG, devices=2)
    caplog.clear()
    after_a_checkpoint(killed, lambda: os.kill(workers()[1], signal.SIGKILL))
    result = run(killed, LONG, devices=2, max_restarts=1)
    assert same(undisturbed, result)
    assert result[0].header["devices"] == "[1, 2]"
    # The learning rate is so low that rounding does not grow.
    np.testing.assert_allclose(result[2]["loss"], one[2]["loss"], rtol=1e-4)
    lines = [message for message in caplog.messages if "was killed by SIGKILL" in message]
    assert len(lines) == 1
    assert lines[0].startswith("process 1 of 2 was killed by SIGKILL; all are started again from the checkpoint of")
    assert lines[0].endswith("(restart 1 of 1)")
    assert len([message for message in caplog.messages if message.startswith("step 40 of 40")]) == 1
    assert not capfd.readouterr().err


def test_a_signal_ends_all_processes_with_a_checkpoint(tmp_path, caplog):
    caplog.set_level("INFO")
    long = LONG.model_copy(update={"steps": 2_000})
    # Not SIGINT, which a shell's background ignores.
    after_a_checkpoint(tmp_path, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path, long, devices=2)
    assert stopped.value.code == 143
    assert workers() == []
    (line,) = [message for message in caplog.messages if message.startswith("stopped by")]
    step = int(line.split()[5])
    assert line.startswith(f"stopped by SIGTERM after step {step} of 2,000; a checkpoint was written")
    assert [*tmp_path.glob(f"*/step-{step:09d}.safetensors")]


def failure(exitcode, rank=1):
    made = ProcessFailure(local_rank=rank, pid=1, exitcode=exitcode, error_file="<N/A>")
    return ChildFailedError("work", {rank: made})


class NoCheckpoint:
    def newest(self):
        return None


def restart(failed, attempt, restarts=0, stop=None):
    trainer = Trainer(None, None, None, None, NoCheckpoint())
    _restart_or_raise(failed, attempt, trainer, Processes(2, CPU, 1), restarts, stop or StopRequest())


def test_the_process_that_failed_first_is_named(tmp_path, caplog):
    _write_error(tmp_path, 0, ValueError("no such thing"))
    time.sleep(0.01)
    _write_error(tmp_path, 1, RuntimeError("Connection closed by peer"))
    restart(failure(1), tmp_path)
    named, _, what = "".join(caplog.messages).partition("; ")
    assert named == "process 0 of 2 failed with ValueError: no such thing"
    assert what == "all are started again from step 0 (restart 1 of 1)"


def test_a_killed_process_is_named_and_not_those_that_lost_their_connection(tmp_path, caplog):
    _write_error(tmp_path, 0, RuntimeError("Connection closed by peer"))
    restart(failure(-9), tmp_path)
    assert caplog.messages[0].startswith("process 1 of 2 was killed by SIGKILL; ")


def test_after_the_last_restart_a_killed_process_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="process 1 of 2 was killed by SIGKILL after 1 restart; run the same command"):
        restart(failure(-9), tmp_path, restarts=1)


def test_after_the_last_restart_an_error_keeps_its_traceback(tmp_path):
    try:
        {}["no such thing"]
    except KeyError as error:
        _write_error(tmp_path, 1, error)
    with pytest.raises(RuntimeError, match=r"process 1 of 2: Traceback(.|\n)*KeyError: 'no such thing'"):
        restart(failure(1), tmp_path, restarts=1)


def test_user_errors_and_lack_of_memory_are_not_tried_again(tmp_path):
    _write_error(tmp_path, 1, RuntimeError("Connection closed by peer"))
    _write_error(tmp_path, 0, torch.OutOfMemoryError("too large"))
    with pytest.raises(MemoryError, match="too large"):
        restart(failure(1), tmp_path)
    _write_error(tmp_path, 0, UserError("the loss is nan"))
    with pytest.raises(UserError, match=r"^the loss is nan$"):
        restart(failure(1), tmp_path)


def test_processes_that_end_after_a_signal_are_not_started_again(tmp_path):
    stop = StopRequest()
    stop.received = signal.SIGTERM
    with pytest.raises(SystemExit) as stopped:
        restart(failure(-15), tmp_path, stop=stop)
    assert stopped.value.code == 143


def test_images_in_files_are_mapped_where_they_are(tmp_path):
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(random_pixels(5)))
    images = dataset.load()
    description = json.loads(json.dumps(describe(images, tmp_path / "other")))
    mapped = map_images(description)
    assert Path(description["file"]) == tmp_path / "images.npy" / NEW / "images.npy"
    assert np.array_equal(mapped.pixels, images.pixels)
    assert np.array_equal(mapped.labels, images.labels)
    assert (mapped.fingerprint, mapped.class_names) == (images.fingerprint, images.class_names)
    assert not mapped.pixels.flags.writeable


def test_images_in_memory_and_none_at_all_can_be_mapped(tmp_path):
    for count in (10, 0):
        part = TRAIN.pixels[:count], TRAIN.labels[:count]
        images = type(TRAIN)(*part, [], TRAIN.class_names, [], "mark", "array")
        mapped = map_images(describe(images, tmp_path / str(count)))
        assert np.array_equal(mapped.pixels, part[0])
        assert np.array_equal(mapped.labels, part[1])


def test_a_request_to_stop_comes_from_a_file_or_sigterm(tmp_path):
    requests = _Requests(tmp_path / "stop", os.getppid())
    assert requests.received is None
    (tmp_path / "stop").write_text("2")
    assert requests.received == signal.SIGINT
    other = _Requests(tmp_path / "none", os.getppid())
    other.record(15, None)
    assert other.received == signal.SIGTERM
