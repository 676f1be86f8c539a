"""The projector and the predictor."""

from torch import nn


def mlp_head(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """Linear, BatchNorm, ReLU, Linear: (N, in_dim) → (N, out_dim), with no norm after the last.

    Paper (2006.07733), §3.3: "this MLP consists in a linear layer with output size 4096 followed by batch
    normalization, rectified linear units, and a final linear layer with output dimension 256".
    """
    return nn.Sequential(
        nn.Linear(in_dim, hidden_dim),
        nn.BatchNorm1d(hidden_dim),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_dim, out_dim),
    )
