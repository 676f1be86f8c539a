"""Networks do not depend on random numbers of other threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from byol_kedro.byol.method import Byol
from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.pretrained_weights import pretrained_encoder
from byol_kedro.byol.seeds import seeded
from byol_kedro.byol.supervised import _network
from byol_kedro.export.state_dicts import _torchvision_network
from tests.support.encoders import HEADER
from tests.support.trainings import CPU

SEEDS = range(6)


def drawn():
    """Something of every operator that draws."""
    x = torch.empty(9)
    return [
        torch.rand(3), torch.randn(2, 2), torch.randint(9, (3,)), torch.randint(2, 9, (3,)), torch.randperm(6),
        torch.bernoulli(torch.full((9,), 0.5)), torch.multinomial(torch.ones(9), 4), torch.normal(torch.zeros(3), 1.0),
        x.normal_(1, 2).clone(), x.uniform_(-1, 1).clone(), x.exponential_().clone(), x.bernoulli_(0.5).clone(),
        F.dropout(torch.ones(20), 0.5), nn.init.trunc_normal_(torch.empty(7)), nn.init.orthogonal_(torch.empty(3, 3)),
    ]  # fmt: skip


def network(seed):
    encoder = create_encoder("test_resnet", "imagenet", True, seed)
    return Byol(encoder, 24, 8, seed).state_dict()


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


def test_numbers_equal_those_of_manual_seed():
    torch.manual_seed(7)
    expected = drawn()
    with seeded(7):
        found = drawn()
    assert [i for i, (a, b) in enumerate(zip(expected, found, strict=True)) if not torch.equal(a, b)] == []


def test_networks_made_in_parallel_equal_those_made_in_sequence():
    expected = [network(seed) for seed in SEEDS]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for found, alone in zip(pool.map(network, SEEDS), expected, strict=True):
                assert_equal(found, alone)


def test_other_threads_do_not_change_a_network():
    expected = network(3)
    stop = threading.Event()

    def draw():
        while not stop.is_set():
            torch.rand(1000)
            torch.manual_seed(1)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        for _ in range(5):
            assert_equal(network(3), expected)
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "make",
    [
        lambda: network(0),
        lambda: _network(HEADER, 3, 0, CPU),
        lambda: pretrained_encoder("resnet10t", create_encoder("resnet10t", "imagenet", False, 0).state_dict(), "x"),
        lambda: _torchvision_network(HEADER.__class__(**{**vars(HEADER), "architecture": "resnet18", "stem": "small"})),
    ],
    ids=["byol", "supervised", "pretrained", "torchvision"],
)
def test_making_a_network_does_not_change_the_global_generator(make):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    make()
    assert torch.equal(torch.get_rng_state(), before)
