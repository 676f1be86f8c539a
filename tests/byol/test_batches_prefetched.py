"""Prefetched batches: order and content, errors, threads, copies to the device."""

import threading
import time
from contextlib import closing, contextmanager

import numpy as np
import pytest
import torch

from byol_kedro.byol.batches import CudaCopy, HostImages, PrefetchedImages, load_images, prefetch
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.train import train
from tests.support.trainings import CPU, images, recipe, small_state


def background_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("images")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert background_threads() == []


def test_results_are_in_order_and_from_one_thread():
    workers = []

    def work(item):
        workers.append(threading.get_ident())
        time.sleep(0.002 * (item % 3))
        return item * item

    assert list(prefetch(work, range(20))) == [item * item for item in range(20)]
    assert len(set(workers)) == 1
    assert workers[0] != threading.get_ident()


def test_at_most_depth_results_are_prefetched():
    begun, allowed = [], threading.Semaphore(0)

    def work(item):
        begun.append(item)
        allowed.release()
        return item

    with closing(prefetch(work, range(100), depth=3)) as results:
        next(results)
        for _ in range(4):
            assert allowed.acquire(timeout=10)
        time.sleep(0.05)
        assert begun == [0, 1, 2, 3]


def test_an_error_is_raised_in_the_place_of_its_result():
    def work(item):
        if item == 2:
            raise OSError("the disk is gone")
        return item

    results = prefetch(work, range(10))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)


def test_closing_the_generator_stops_the_work():
    begun, second, gate = [], threading.Event(), threading.Event()

    def work(item):
        begun.append(item)
        if item == 1:
            second.set()
            assert gate.wait(timeout=10)

    results = prefetch(work, range(1000))
    next(results)
    assert second.wait(timeout=10)
    threading.Timer(0.05, gate.set).start()
    results.close()  # waits for the second one; the third is already asked for
    assert begun == [0, 1]


class FakeCopy:
    """In the place of CudaCopy: writes down which thread asks for what."""

    def __init__(self):
        self.events = []

    def start(self, make):
        batch = make()
        self.events.append(("start", threading.current_thread().name))
        return batch

    def wait(self, batch):
        self.events.append(("wait", threading.current_thread().name))
        return batch


PARTS = [images(13, seed=1), images(9, seed=2)]


def test_prefetched_batches_equal_those_on_demand():
    plan = Plan(recipe(epochs=3), 22, 0)
    copy = FakeCopy()
    ours = list(PrefetchedImages(PARTS, copy).batches(plan.batches(1)))
    theirs = list(HostImages(PARTS, CPU).batches(plan.batches(1)))
    assert len(ours) == len(theirs) == plan.steps - 1
    assert all(map(torch.equal, ours, theirs))
    names = {what: {name for event, name in copy.events if event == what} for what in ("start", "wait")}
    assert names["wait"] == {threading.current_thread().name}
    assert all(name.startswith("images") for name in names["start"])


def trained(placed, **given):
    state = small_state()
    parameters = recipe(epochs=3, accumulation_steps=2, batch_size=4)
    train(state, placed, Plan(parameters, 22, 0), (0.5,) * 3, (0.25,) * 3, **given)
    return state.network.state_dict()


def test_training_from_prefetched_batches_gives_the_same_weights():
    ours, theirs = trained(PrefetchedImages(PARTS, FakeCopy())), trained(HostImages(PARTS, CPU))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, ValueError])
def test_the_thread_ends_with_the_training(error):
    def stop(done, _row):
        if done == 3:
            assert background_threads() != []
            raise error

    with pytest.raises(error):
        trained(PrefetchedImages(PARTS, FakeCopy()), on_step=[stop])
    assert background_threads() == []


def test_an_unreadable_image_stops_the_training_with_its_error():
    class Broken(FakeCopy):
        def start(self, make):
            if [what for what, _ in self.events].count("start") == 3:
                raise OSError("the file was cut")
            return super().start(make)

    with pytest.raises(OSError, match="the file was cut"):
        trained(PrefetchedImages(PARTS, Broken()))


class FakeStream:
    """A stream that writes down what it is asked for."""

    device = CPU

    def __init__(self, name, log):
        self.name, self._log = name, log

    def record_event(self):
        self._log.append(f"{self.name}: event")
        return "event"

    def wait_event(self, event):
        self._log.append(f"{self.name}: wait for {event}")


@pytest.fixture
def cuda(monkeypatch):
    """What a CUDA device would be asked for, in order."""
    log, current = [], [FakeStream("computing", None)]
    current[0]._log = log

    @contextmanager
    def on(stream):
        current.append(stream)
        yield
        current.pop()

    def copied(tensor, device, *, non_blocking):
        log.append(f"{current[-1].name}: copy, {'without' if non_blocking else 'with'} waiting")
        return tensor.clone()

    monkeypatch.setattr(torch.cuda, "Stream", lambda _device: FakeStream("copying", log))
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: current[-1])
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: log.append("pinned") or tensor)
    monkeypatch.setattr(torch.Tensor, "to", copied)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda _tensor, stream: log.append(f"kept for {stream.name}"))
    return log


def test_copies_use_their_own_stream_and_are_waited_for(cuda):
    copy = CudaCopy(torch.device("cuda"))
    begun = copy.start(lambda: torch.arange(3))
    assert cuda == ["pinned", "copying: copy, without waiting", "copying: event"]
    cuda.clear()
    assert copy.wait(begun).tolist() == [0, 1, 2]
    assert cuda == ["computing: wait for event", "kept for computing"]


@pytest.mark.parametrize(("free", "kind"), [(10**9, "DeviceImages"), (10, "PrefetchedImages")])
def test_images_that_fit_are_copied_to_the_gpu_and_others_prefetched(monkeypatch, free, kind):
    made = []
    for name in ("DeviceImages", "PrefetchedImages"):
        monkeypatch.setattr(f"byol_kedro.byol.batches.{name}", lambda *_, name=name: made.append(name))
    monkeypatch.setattr("byol_kedro.byol.batches.CudaCopy", lambda _device: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, free))
    load_images(PARTS, torch.device("cuda"))
    assert made == [kind]


def test_images_on_the_host_are_read_in_the_calling_thread():
    assert isinstance(load_images([*PARTS, np.empty((0, 3, 16, 16), np.uint8)], CPU), HostImages)
