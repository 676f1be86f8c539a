"""A pair model whose scales cannot be divided by is refused where it is read."""

import numpy as np
import pytest

from byol_kedro.errors import UserError
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.pair_model.model import PairModel


def arrays(**changed):
    weights = {"linear1.weight": np.ones((2, 3), np.float32), "linear1.bias": np.zeros(2, np.float32)}
    scaler = Scaler(np.zeros(3, np.float32), np.ones(3, np.float32))
    return PairModel(weights, scaler, target_offset=0.0, target_scale=1.0).to_arrays() | changed


@pytest.mark.parametrize(
    "changed",
    [
        {"scale": np.array([1, 0, 1], np.float32)},
        {"scale": np.array([1, -1, 1], np.float32)},
        {"target_scale": np.zeros(1, np.float32)},
    ],
)
def test_a_scale_that_is_not_above_zero_is_one_line(changed):
    assert PairModel.from_arrays(arrays()).target_scale == 1
    with pytest.raises(UserError, match="above zero"):
        PairModel.from_arrays(arrays(**changed))
