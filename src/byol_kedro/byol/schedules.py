"""Learning rate and moving average as functions of the step, counted from 0."""

import math


def learning_rate(step: int, *, steps: int, warmup: int, peak: float, schedule: str) -> float:
    """Learning rate of optimizer step `step` of `steps`.

    Linear over the first `warmup` steps, from peak/warmup to peak, so that no step has rate 0; then
    constant, or along half a cosine to 0 at `steps` (paper 2006.07733, §3.3; Loshchilov & Hutter 2017,
    1608.03983, eq. 5).
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "constant":
        return peak
    return peak * _half_cosine((step - warmup) / (steps - warmup))


def target_tau(step: int, *, steps: int, base: float, schedule: str) -> float:
    """τ of the target update after optimizer step `step` of `steps`: `base`, or from `base` to 1 on a cosine.

    τ_k = 1 - (1 - τ_base)·(cos(πk/K) + 1)/2: paper (2006.07733), §3.3.
    """
    if schedule == "constant":
        return base
    return 1 - (1 - base) * _half_cosine(step / steps)


def _half_cosine(part: float) -> float:
    return (math.cos(math.pi * part) + 1) / 2
