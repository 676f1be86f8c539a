"""scikit-learn's multinomial logistic regression, its C chosen on held-out training rows."""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

from byol_kedro.evaluation.probes.base import Features, Fit, Labels, stratified_split
from byol_kedro.evaluation.probes.linear import linear_probabilities
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread
from byol_kedro.log import get_logger

if TYPE_CHECKING:
    from byol_kedro.parameters import Logistic

# lbfgs needs tens of steps on standardized features; one line says what has not settled after this many.
MAX_STEPS = 2000

logger = get_logger(__name__)


@one_thread()
def logistic(
    train_x: Features, train_y: Labels, test_x: Features, n_classes: int, params: "Logistic", seed: int
) -> Fit:
    """Standardize on train, choose C of `params.cs` on a stratified part of train, refit on all of train.

    train_x (N, D), test_x (M, D) float32; train_y (N,) int64 of at least two classes. Of several C that do
    equally well the smallest, the most regularized, is taken. Weights: `mean`, `scale` (D,), `weight`
    (n_classes, D), `bias` (n_classes,), which is -inf for a class without training images. Chosen: `C`.
    """
    scaler = Scaler.fit(train_x)
    x = scaler(train_x)
    fit, choose = stratified_split(train_y, params.validation, seed)
    strengths = sorted(params.cs)
    top1 = [
        float(np.mean(fit_logistic(x[fit], train_y[fit], c).predict(x[choose]) == train_y[choose])) for c in strengths
    ]
    best = strengths[int(np.argmax(top1))]
    weight, bias = _as_softmax(fit_logistic(x, train_y, best), n_classes)
    weights = {"mean": scaler.mean, "scale": scaler.scale, "weight": weight, "bias": bias}
    return Fit(linear_probabilities(test_x, weights), weights, {"C": best})


def fit_logistic(x: Features, y: Labels, c: float) -> LogisticRegression:
    """The fitted model of x (N, D) and y (N,); one line says when it has not settled after `MAX_STEPS`."""
    model = LogisticRegression(C=c, max_iter=MAX_STEPS).fit(x, y)
    if model.n_iter_.max() >= MAX_STEPS:
        logger.info("logistic regression, C %g: not settled after %d steps, taken as it is", c, MAX_STEPS)
    return model


def _as_softmax(model: LogisticRegression, n_classes: int) -> tuple[Features, Features]:
    """Weight (n_classes, D) and bias (n_classes,) whose softmax gives the model's probabilities.

    scikit-learn has rows only for the classes that it saw, and a single one when these are two.
    """
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    weight = np.zeros((n_classes, coefficients.shape[1]), np.float32)
    bias = np.full(n_classes, -np.inf, np.float32)
    weight[model.classes_], bias[model.classes_] = coefficients, intercepts
    return weight, bias
