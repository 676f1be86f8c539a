"""The same classifiers on features that BYOL has to beat."""

from typing import Any

import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.probe_data import ALL_PROTOCOLS, PIXEL_PROTOCOLS, pixels, references
from byol_kedro.datasets.provenance import check_same_encoder, check_same_images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.metrics import join_predictions
from byol_kedro.evaluation.pca import fit_pca
from byol_kedro.evaluation.probes.run import Outcome, classify
from byol_kedro.parameters import Baselines, Probes


def baselines(
    encoder: Tensors,
    reference_latents: Tensors,
    images_train: Images,
    images_test: Images,
    parameters: Baselines,
    probes: Probes,
    seed: int,
) -> tuple[dict[str, Any], pd.DataFrame, Tensors]:
    """Classifiers on principal components of the pixels and on the features of each reference.

    Gives metrics, guesses and the principal components. Raises UserError when the features are
    another encoder's or other images'.
    """
    check_same_encoder(encoder, reference_latents)
    check_same_images(reference_latents, images_train, images_test)
    pca = fit_pca(images_train.pixels, parameters.pca_components, seed)
    outcomes: list[Outcome] = []
    rows: list[dict[str, Any]] = []
    compared = [(problem, ALL_PROTOCOLS, facts) for problem, facts in references(reference_latents, images_test)]
    for problem, protocols, facts in [(pixels(images_train, images_test, pca), PIXEL_PROTOCOLS, {}), *compared]:
        outcomes.append(classify(problem, protocols, probes, seed))
        rows.extend({**row, **facts} for row in outcomes[-1].rows)
    predictions = join_predictions([outcome.predictions for outcome in outcomes])
    header = {"data": images_train.source, "data_fingerprint": images_train.fingerprint}
    metrics = {
        "encoder_version": encoder.header["version"],
        "data": images_test.source,
        "data_fingerprint": images_test.fingerprint,
        "rows": rows,
    }
    return metrics, predictions, Tensors(pca, header)
