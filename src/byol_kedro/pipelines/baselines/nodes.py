"""Node that evaluates the baselines with the same probes."""

from typing import Any

import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.probe_data import PIXEL_PROBES, pixels, references
from byol_kedro.datasets.provenance import Provenance, check_same_encoder, check_same_images, metrics_of
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.metrics import join_predictions
from byol_kedro.evaluation.pca import fit_pca
from byol_kedro.evaluation.probes.base import probe_names
from byol_kedro.evaluation.probes.run import Evaluation, evaluate
from byol_kedro.parameters import Baselines, Probes


def evaluate_baselines(
    encoder: Tensors,
    reference_latents: Tensors,
    images_train: Images,
    images_test: Images,
    parameters: Baselines,
    probes: Probes,
    seed: int,
) -> tuple[dict[str, Any], pd.DataFrame, Tensors]:
    """Fit and evaluate probes on principal components of the pixels and on the features of each reference.

    Returns:
        Metrics, predictions and the principal components.

    Raises:
        UserError: The features belong to another encoder or to other images.
    """
    check_same_encoder(encoder, reference_latents)
    check_same_images(reference_latents, images_train, images_test)
    pca = fit_pca(images_train.pixels, parameters.pca_components, seed)
    compared = [(data, probe_names(), columns) for data, columns in references(reference_latents, images_test)]
    evaluations: list[Evaluation] = []
    rows: list[dict[str, Any]] = []
    for data, names, columns in [(pixels(images_train, images_test, pca), PIXEL_PROBES, {}), *compared]:
        evaluations.append(evaluate(data, names, probes, seed))
        rows.extend({**row, **columns} for row in evaluations[-1].rows)
    predictions = join_predictions([evaluation.predictions for evaluation in evaluations])
    provenance = Provenance(data=images_train.source, data_fingerprint=images_train.fingerprint)
    return metrics_of(encoder, images_test, rows), predictions, Tensors(pca, provenance.to_header())
