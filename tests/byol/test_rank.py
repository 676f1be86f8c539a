"""What could break: a rank that grows with the vectors' length, or does not see a collapse."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from byol_kedro.byol.rank import effective_rank, rank_of_projections


def drawn(rows, columns, seed=0):
    return torch.randn((rows, columns), generator=torch.Generator().manual_seed(seed))


@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_it_is_the_exponential_of_the_entropy_of_the_singular_values(rows, columns, seed):
    vectors = drawn(rows, columns, seed)
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(vectors.T.double().numpy() @ vectors.double().numpy()), 0, None))
    shares = singular / singular.sum()
    entropy = -sum(share * np.log(share) for share in shares if share > 1e-12)
    assert effective_rank(vectors) == pytest.approx(np.exp(entropy), rel=1e-3)


def test_directions_that_are_all_alike_are_counted():
    assert effective_rank(torch.eye(7)) == pytest.approx(7, rel=1e-4)


def test_one_vector_for_all_pictures_has_rank_one():
    assert effective_rank(drawn(1, 16).expand(50, 16)) == pytest.approx(1, abs=1e-3)


def test_all_zero_is_no_error():
    assert np.isfinite(effective_rank(torch.zeros(4, 3)))


def test_the_length_of_the_vectors_does_not_matter():
    vectors = drawn(20, 5)
    assert effective_rank(1000 * vectors) == pytest.approx(effective_rank(vectors))


def test_measuring_leaves_the_projector_as_it_was():
    projector = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6)).train()
    before = {name: tensor.clone() for name, tensor in projector.state_dict().items()}
    rank_of_projections(projector, drawn(10, 4))
    assert projector[1].training
    assert all(torch.equal(tensor, before[name]) for name, tensor in projector.state_dict().items())
