"""Small inputs of the pipeline report, in the form that the other pipelines write."""

import hashlib

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import Provenance
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.pipelines.report import nodes

VERSION = "2026-09-01T10.00.00.000Z"
RUN = "2026-09-02T11.00.00.000Z"
UNLABELED, TRAIN, TEST = "ab" * 32, "bc" * 32, "ef" * 32  # fingerprints of the images
CLASSES = ["astronaut", "cat", "coffee", "rocket"]
TOP1 = {"knn": 0.55, "linear_adam": 0.58, "logistic": 0.612, "mlp": 0.62}
CLASSIFIERS = {
    "knn": "kNN",
    "knn_weighted": "kNN",
    "linear_adam": "logistic regression",
    "linear_sgd": "logistic regression",
    "logistic": "logistic regression",
    "mlp": "MLP",
}


def encoder(**header):
    facts = {
        "architecture": "resnet18", "stem": "small", "zero_init_residual": "true", "image_size": "32",
        "feature_dim": "512", "mean": "[0.47, 0.43, 0.39]", "std": "[0.27, 0.26, 0.27]", "data": "photos",
        "data_fingerprint": f"{UNLABELED}:{TRAIN}", "recipe": "base", "epochs": "40", "batch_size": "256",
        "projection_dim": "128", "hidden_dim": "512", "seed": "7", "version": VERSION, "fingerprint": "cd" * 32,
    }  # fmt: skip
    return Tensors({}, facts | header)


def manifest(**changes):
    facts = {
        "run_id": RUN,
        "command": "kedro run --pipelines=evaluate",
        "environment": "sample",
        "pipelines": ["evaluate"],
        "parameters": {"seed": 0, "probes": {"knn": {"neighbors": 5}}},
        "git": {"revision": "0123abcd", "dirty": True},
        "packages": {"torch": "2.9.0", "kedro": "1.7.0"},
        "python": "3.12.1",
        "platform": "Linux",
        "writes": [f"{part}_{kind}" for part in ("baseline", "probe") for kind in ("metrics", "predictions")],
        "reads": {
            "encoder": {"version": VERSION, "command": "kedro run --pipelines=pretrain"},
            "training_history": {"version": VERSION, "command": "kedro run --pipelines=pretrain"},
        },
    }
    return facts | changes


SETTINGS = {"linear_adam": {"lr": 0.0003, "batch_size": 64, "epochs": 200, "seeds": 5}}


def row(protocol, features, top1, dim=512, **changes):
    return {
        "classifier": CLASSIFIERS[protocol], "protocol": protocol, "features": features, "dim": dim,
        "settings": SETTINGS.get(protocol, {}),
        "top1": top1, "ci_low": top1 - 0.013, "ci_high": top1 + 0.013, "n": 5000, "seed": 3, "chosen": {}, "ece": 0.041,
    } | changes  # fmt: skip


def metrics(rows, version=VERSION, **more):
    return {"encoder_version": version, "data_fingerprint": TEST, "rows": rows, **more}


def probe_metrics(**more):
    return metrics([row(protocol, "BYOL", top1) for protocol, top1 in TOP1.items()], **more)


def baseline_metrics(**more):
    pixels = [row("logistic", "pixels, PCA 256", 0.402, 256), row("knn", "pixels, PCA 256", 0.35, 256)]
    untrained = [row(protocol, "untrained network", top1 - 0.09) for protocol, top1 in TOP1.items()]
    return metrics([*pixels, *untrained], **more)


def images(labels=None, class_names=CLASSES, source="photos"):
    labels = np.repeat(np.arange(len(class_names)), 5) if labels is None else np.asarray(labels)
    names = [f"test/{number:05d}" for number in range(len(labels))]
    pixels = np.zeros((len(labels), 3, 8, 8), np.uint8)
    return Images(pixels, labels.astype(np.int64), names, class_names, [], TEST, source)


STL10_CLASSES = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]


def stl10(monkeypatch):
    """Returns test images and a data summary that pass for STL-10, with labels of their own."""
    test = images(np.random.default_rng(0).permutation(8000) % 10, STL10_CLASSES, "stl10")
    labels = hashlib.md5((test.labels + 1).astype(np.uint8).tobytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr("byol_kedro.pipelines.report.results.LABELS", labels)
    summary = data_summary()
    for name, count in (("unlabeled", 100_000), ("train", 5_000), ("test", 8_000)):
        facts = {"count": count, "height": 96, "width": 96, "source": "stl10"}
        facts["classes"] = dict.fromkeys(STL10_CLASSES, count // 10) if name != "unlabeled" else {}
        summary["splits"][name] |= facts
    return test, summary | {"source": "stl10"}


def predictions(features, protocols, classes=4):
    rng = np.random.default_rng(0)
    tables = []
    for protocol in protocols:
        truth = np.repeat(np.arange(classes), 5)
        guess = np.where(rng.random(len(truth)) < 0.6, truth, rng.integers(0, classes, len(truth)))
        names = [f"test/{number:05d}" for number in range(len(truth))]
        facts = {"index": np.arange(len(truth)), "name": names, "truth": truth, "guess": guess}
        kind = {"classifier": CLASSIFIERS[protocol], "protocol": protocol, "features": features}
        tables.append(pd.DataFrame({**facts, "confidence": np.float32(0.7), **kind}))
    return pd.concat(tables, ignore_index=True)


def latents(split, features=None, header=None):
    """Features of a split by `encoder()`."""
    features = np.random.default_rng(0).normal(size=(len(split), 8)) if features is None else features
    arrays = {"features": np.asarray(features, np.float32), "labels": split.labels, "index": np.arange(len(split))}
    return Tensors(arrays, Provenance.of(header or encoder(), split).to_header())


def fold_metrics(**more):
    top1 = [0.5, 0.52, 0.48]
    facts = {"features": "BYOL", "classifier": "logistic regression", "protocol": "logistic", "top1": top1}
    return metrics([{**facts, "n": 3, "mean": 0.5, "std": 0.02, "n_train": 1000, "n_test": 8000}], **more)


def few_label_metrics(**more):
    rows = [
        {
            "features": features, "labels": 4 * count, "whole": count == 100, "per_class": float(count),
            "top1": [mean - 0.03, mean + 0.03], "n": 2, "mean": mean, "std": 0.04,
        }
        for features, start in (("BYOL", 0.3), ("untrained network", 0.2))
        for count, mean in ((1, start), (10, start + 0.1), (100, start + 0.2))
    ]  # fmt: skip
    return metrics(rows, **more)


def quality_metrics(**more):
    values = (("BYOL", 211.43, -2.871, 0.4321), ("untrained network", 13.2, -0.061, None))
    names = ("features", "effective_rank", "uniformity", "alignment")
    return metrics([{"n": 5000, "dim": 512, **dict(zip(names, row, strict=True))} for row in values], **more)


def history(epochs=40):
    epoch = np.linspace(0.2, epochs, 5 * epochs)
    knn = np.where(np.arange(1, len(epoch) + 1) % 25 == 0, 0.2 + 0.3 * (1 - np.exp(-epoch / 10)), np.nan)
    return pd.DataFrame(
        {
            "step": np.arange(1, len(epoch) + 1) * 10,
            "epoch": epoch,
            "loss": 0.4 + 1.4 * np.exp(-epoch / 6),
            "lr": 0.06 * (1 + np.cos(np.pi * epoch / epochs)) / 2,
            "tau": 1 - 0.01 * (np.cos(np.pi * epoch / epochs) + 1) / 2,
            "images_per_second": 900.0,
            "feature_std": 0.085 - 0.05 * np.exp(-epoch / 3),
            "knn_top1": knn,
            "effective_rank": np.where(np.isnan(knn), np.nan, 20 + epoch),
        }
    )


def latent_row(model, n=500, **scores):
    """Returns a row of pair_metrics; scores that are not given are None."""
    row = {"model": model, "n": n}
    for name in ("l1", "spearman", "r2", "l1_behind"):
        value = scores.get(name)
        ends = (None, None) if value is None else (value - 0.001, value + 0.001)
        row |= {name: value, f"{name}_low": ends[0], f"{name}_high": ends[1]}
    return row


def pair_metrics(version=VERSION):
    models = [
        latent_row("pair model", l1=0.0123, spearman=0.61, r2=0.4, l1_behind=0.0),
        latent_row("mean of train", l1=0.02, r2=0.0, l1_behind=0.0077),
    ]
    clusters = {"method": "kmeans", "k": 3, "nmi": 0.41, "ari": 0.3, "purity": 0.52, "n": 5}
    return metrics(models, version, pairs={"train": 2000, "test": 500}, clusters=clusters)


def pair_embeddings():
    labels = [0, 0, 1, 1, 2, -1]
    names = [f"test/{number:05d}" for number in range(len(labels))]
    vectors = {f"z{axis}": np.zeros(len(labels), np.float32) for axis in range(16)}
    facts = {"name": names, "split": "test", "label": labels, "cluster": [0, 0, 0, 1, 1, 2]}
    return pd.DataFrame(facts | vectors)


def pair_embedding_map():
    traces = [
        go.Scatter(x=[0, 1, 2], y=[1, 0, 1], mode="markers", text=["test/00003", "test/00000", "test/00007"]),
        go.Scatter(x=[5], y=[5], mode="markers", text=["test/00012"]),
    ]
    return go.Figure(traces).update_layout(title="Map of the embeddings")


def cluster_sheet():
    return np.random.default_rng(1).integers(0, 255, (16, 40, 3), dtype=np.uint8)


def data_summary(**fingerprints):
    fingerprints = {"unlabeled": UNLABELED, "train": TRAIN, "test": TEST} | fingerprints
    counts = {"unlabeled": 12000, "train": 400, "test": 20}
    splits = {
        name: {
            "count": count, "height": 32, "width": 32, "bytes": count * 3072,
            "classes": {} if name == "unlabeled" else dict.fromkeys(CLASSES, count // 4),
            "without_label": count if name == "unlabeled" else 0, "folds": 0,
            "mean": [0.4712345, 0.4334567, 0.39], "std": [0.27, 0.26, 0.27], "source": "photos",
            "fingerprint": fingerprints[name],
        }
        for name, count in counts.items()
    }  # fmt: skip
    seen = {name: {"identical": 0, "near": 1, "pairs": ["test/1 train/2 (4 bits)"]} for name in ("train", "unlabeled")}
    return {"source": "photos", "splits": splits, "test_images_in": seen}


def sample_grid():
    return np.random.default_rng(0).integers(0, 255, (64, 160, 3), dtype=np.uint8)


def tabulate(header=None, **changes):
    """Tabulates small inputs. `changes` replaces some: manifest, baselines, probes, summary, images."""
    inputs = {
        "manifest": manifest(),
        "baselines": baseline_metrics(),
        "probes": probe_metrics(),
        "summary": data_summary(),
        "images": images(),
    }
    assert changes.keys() <= inputs.keys()
    return nodes.tabulate(header or encoder(), *(inputs | changes).values())
