"""BatchNorm over the batches of all processes on a CPU, where `nn.SyncBatchNorm` does not exist."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Collective = Callable[[Tensor], Tensor]


class SyncBatchNorms(TorchFunctionMode):
    """Inside the block every BatchNorm in training mode has the statistics of the batch of all processes.

    It replaces `F.batch_norm`, which all BatchNorm modules call, those of timm included: no module changes, and
    weights keep their names. All processes have to call the same BatchNorms in the same order, on inputs of the same
    shape.
    """

    def __init__(self, gathered: Collective, summed: Collective) -> None:
        """Take the collectives: (n, ...) → (processes · n, ...) of all processes, and the sum over them."""
        super().__init__()
        self._gathered, self._summed = gathered, summed

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, `F.batch_norm` over all processes."""
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return self._batch_norm(*args, **kwargs)
        return func(*args, **kwargs)

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """As `F.batch_norm`, whose arguments these are."""
        if not training:
            return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
        weight = torch.ones(x.shape[1]) if weight is None else weight
        bias = torch.zeros_like(weight) if bias is None else bias
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        y, mean, var, count = _SyncBatchNorm.apply(wide, weight, bias, eps, self._gathered, self._summed)
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * (count / (count - 1)), momentum)
        result: Tensor = y.to(x.dtype)
        return result


class _SyncBatchNorm(torch.autograd.Function):
    """BatchNorm (Ioffe & Szegedy 2015, 1502.03167, algorithm 1) of x (n, C, ...), which is a part of the batch.

    The sums over the part, and everything that has the size of x, are computed by torch's own kernels: in evaluation
    mode BatchNorm is the normalization by given statistics, and its backward pass has the sums that are needed.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, gathered: Collective, summed: Collective
    ) -> tuple[Tensor, Tensor, Tensor, int]:
        """The normalized part, mean (C,), biased variance (C,) and number of values per channel of the whole batch."""
        part = torch.stack(torch.batch_norm_update_stats(x, None, None, 0.0))  # (2, C): mean and biased variance
        means, variances = gathered(part[None]).unbind(1)  # (processes, C) each, of equally large parts
        mean = means.mean(0)
        # Not from sums of squares, which lose the variance of a channel with a large mean.
        var = (variances + (means - mean).square_()).mean(0)
        y = torch.native_batch_norm(x, weight, bias, mean, var, training=False, momentum=0.0, eps=eps)[0]
        count = len(means) * x.numel() // x.shape[1]
        ctx.save_for_backward(x, weight, mean, var)
        ctx.eps, ctx.count, ctx.summed = eps, count, summed
        ctx.mark_non_differentiable(mean, var)
        return y, mean, var, count

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        """The gradients of x, and those of weight and bias from the own part of the batch."""
        x, weight, mean, var = ctx.saved_tensors
        # With fixed statistics: dx = dy · w / σ, dw = Σ dy · x̂ and db = Σ dy, over the part.
        dx, dw, db = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        # Through the statistics: dx -= w / σ · (Σ dy + x̂ · Σ dy · x̂) / count, over the whole batch.
        scale = weight * (var + ctx.eps).rsqrt() / -ctx.count
        all_dw, all_db = ctx.summed(torch.stack((dw, db))) * scale
        dx += torch.native_batch_norm(x, all_dw, all_db, mean, var, training=False, momentum=0.0, eps=ctx.eps)[0]
        return dx, dw, db, None, None, None
