"""scikit-learn's multinomial logistic regression, with C chosen on a validation part of train."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from byol_kedro.evaluation.probes.base import Features, FittedProbe, Labels, Logistic, stratified_split
from byol_kedro.evaluation.probes.linear import linear_probabilities, softmax_layer
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread
from byol_kedro.log import get_logger

MAX_ITER = 2000  # lbfgs converges on standardized features in tens of iterations

logger = get_logger(__name__)

predict = linear_probabilities


@one_thread()
def fit(x: Features, y: Labels, n_classes: int, params: Logistic, seed: int) -> FittedProbe:
    """Standardize, choose C on a validation part, and fit again on all training images.

    Args:
        x: Training features, (N, D) float32.
        y: Their labels, (N,) int64, of at least two classes.
        n_classes: Number of classes.
        params: Block of parameters.
        seed: Seed of the split.

    Returns:
        `mean`, `scale` (D,), `weight` (n_classes, D) and `bias` (n_classes,), which is -inf for a class without
        training images. `chosen` has `C`, the smallest (most regularized) of equally good ones.
    """
    scaler = Scaler.fit(x)
    standardized = scaler(x)
    train, validation = stratified_split(y, params.validation, seed)
    cs = sorted(params.cs)
    top1 = [
        float(
            np.mean(fit_logistic(standardized[train], y[train], c).predict(standardized[validation]) == y[validation])
        )
        for c in cs
    ]
    best = cs[int(np.argmax(top1))]
    weight, bias = softmax_layer(fit_logistic(standardized, y, best), n_classes)
    return FittedProbe({"mean": scaler.mean, "scale": scaler.scale, "weight": weight, "bias": bias}, {"C": best})


def fit_logistic(x: Features, y: Labels, c: float) -> LogisticRegression:
    """The model fitted to x (N, D) and y (N,); a log line reports if it has not converged after `MAX_ITER`."""
    model = LogisticRegression(C=c, max_iter=MAX_ITER).fit(x, y)
    if model.n_iter_.max() >= MAX_ITER:
        logger.info("logistic regression with C = %g: not converged after %d iterations, used as it is", c, MAX_ITER)
    return model
