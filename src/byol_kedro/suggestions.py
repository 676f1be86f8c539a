"""Suggestions for unknown names: what a name was renamed to, else the most similar known names."""

from collections.abc import Iterable
from difflib import get_close_matches

# Former names of parameters, their values, pipelines and catalog entries.
RENAMED = {
    "fine_tune_from": "init_from",
    "accumulate": "accumulation_steps",
    "warmup_epochs": "warmup",
    "every_epochs": "evaluations",
    "continue_from_epochs": "continue_from",
    "crop_area": "scale",
    "crop_aspect": "ratio",
    "flip": "hflip_prob",
    "jitter": "color_jitter_prob",
    "grey": "grayscale_prob",  # codespell:ignore grey
    "gray": "grayscale_prob",
    "blur": "blur_prob",
    "solarize": "solarize_prob",
    "published": "linear_adam",
    "knn200": "knn_weighted",
    "picture": "image",
    "latent": "pair_model",
    "latent_mlp": "pair_model",
    "latent_metrics": "pair_metrics",
    "latent_history": "pair_history",
    "latent_vectors": "pair_embeddings",
    "latent_map": "pair_embedding_map",
    "probe_published": "probes",
    "probe_logistic": "probes",
    "probe_mlp": "probes",
    "new_pictures": "new_images",
    "picture_pool": "image_pool",
    "predicted_pictures": "predicted_images",
}
MOST = 3  # suggestions; of more names none is likelier than the others


def close_names(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The `most` names in `known` that are most likely meant by `name`; may be empty.

    A name that was renamed comes first, then names that have `name` between their dots, then similar ones.
    """
    names = list(known)
    if RENAMED.get(name) in names:
        return [RENAMED[name]]
    qualified = [candidate for candidate in names if name in candidate.split(".")]
    if 0 < len(qualified) <= MOST:
        return qualified
    return get_close_matches(name, names, n=most)


def did_you_mean(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """`did you mean NAME?`; without a close name `otherwise`, which lists `known` by default."""
    names = sorted(known)
    found = close_names(name, names)
    if found:
        return f"did you mean {' or '.join(found)}?"
    return f"expected one of {', '.join(names)}" if otherwise is None else otherwise
