"""The node of the pipeline curate."""

from typing import cast

import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import Provenance, check_same_encoder, check_same_images
from byol_kedro.datasets.raw import RawImages
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.base import Logistic
from byol_kedro.log import get_logger
from byol_kedro.parameters import Curate, Probes
from byol_kedro.pipelines.curate.issues import class_and_label_issues, duplicate_issues, outlier_issues, quality_issues
from byol_kedro.pipelines.curate.pool import ImagePool
from byol_kedro.pipelines.curate.table import KINDS, as_table

log = get_logger(__name__)


def find_issues(
    raw_images: RawImages,
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    latents_unlabeled: Tensors,
    images_train: Images,
    images_test: Images,
    images_unlabeled: Images,
    parameters: Curate,
    probe_parameters: Probes,
    seed: int,
) -> pd.DataFrame:
    """Find duplicates, outliers, suspicious labels, similar classes and images that show little, in all splits.

    Returns:
        The columns of `table.COLUMNS`; `attrs` has the provenance.

    Raises:
        UserError: The features belong to another encoder or to other images.
    """
    splits = {"train": images_train, "test": images_test, "unlabeled": images_unlabeled}
    latents = dict(zip(splits, (latents_train, latents_test, latents_unlabeled), strict=True))
    check_same_encoder(encoder, *latents.values())
    for split, images in splits.items():
        check_same_images(latents[split], images)
    logistic = cast("Logistic", probe_parameters.of("logistic"))
    pool = ImagePool.of(splits, latents)
    if missing := len(pool) - len(pool.features):
        log.info(
            "%s images have no saved features, so they are not checked for outliers: run the pipeline extract with "
            "--params pair_model.unlabeled=true",
            f"{missing:,}",
        )
    neighbors = pool.nearest(parameters.neighbors)
    quality = quality_issues(pool, raw_images)
    duplicates, group = duplicate_issues(pool, quality.empty, neighbors)
    rows = [
        *duplicates,
        *outlier_issues(pool, neighbors),
        *class_and_label_issues(pool, group, parameters.folds, logistic.cs, seed),
        *quality.issues,
    ]
    table = as_table(rows)
    table.attrs.update(Provenance.of(encoder, *splits.values()).to_header())
    counts = table["kind"].value_counts()
    found = ", ".join(f"{kind} {counts[kind]:,}" for kind in KINDS if kind in counts) or "nothing"
    log.info("%s images: %s", f"{len(pool):,}", found)
    return table
