"""Plants faults in a data set and measures how many of them `kedro run --pipelines=curate` would find.

python benchmarks/curate.py --data-root data/folder

It needs images and an encoder below `--data-root`. One percent of the images are copied with small changes, one percent
of the labels are swapped, and one percent of the images are replaced by foreign ones: patches of scikit-image's images.
With cleanlab installed (`pip install cleanlab`, which this project does not need), its ranking of the same
probabilities is measured, too.
"""

import argparse
import io
import resource
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from sklearn.metrics import roc_auc_score

from byol_kedro import load_encoder
from byol_kedro.byol.features import encode
from byol_kedro.datasets.images import Images, ImagesDataset
from byol_kedro.datasets.raw import RawImages
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.label_issues import confident_learning, cross_validated
from byol_kedro.files.versioned import version_files
from byol_kedro.pipelines.curate.issues import duplicate_issues, outlier_issues, quality_issues
from byol_kedro.pipelines.curate.pool import ImagePool

CS = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
CHANGES = ("jpeg", "bright", "small", "crop", "flip")


def changed(pixels: np.ndarray, how: str) -> np.ndarray:
    """A near duplicate of an image (3, S, S)."""
    image = Image.fromarray(pixels.transpose(1, 2, 0))
    side = image.width
    if how == "jpeg":
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=40)
        image = Image.open(buffer).convert("RGB")
    elif how == "bright":
        image = ImageEnhance.Brightness(image).enhance(1.25)
    elif how == "small":
        image = image.resize((side // 2, side // 2), Image.Resampling.BICUBIC).resize((side, side))
    elif how == "crop":
        edge = round(0.03 * side)
        image = image.crop((edge, edge, side - edge, side - edge)).resize((side, side), Image.Resampling.BICUBIC)
    else:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image).transpose(2, 0, 1)


def foreign(count: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Patches (count, 3, side, side) of photographs that show no scene."""
    from skimage import data  # noqa: PLC0415

    names = ("page", "text", "coins", "cell", "brick", "grass", "gravel", "clock", "moon", "checkerboard")
    sources = [np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB")) for name in names]
    patches = []
    for number in range(count):
        source = sources[number % len(sources)]
        length = int(rng.integers(side, min(source.shape[:2]) + 1))
        top, left = (int(rng.integers(0, edge - length + 1)) for edge in source.shape[:2])
        patch = Image.fromarray(source[top : top + length, left : left + length]).resize((side, side))
        patches.append(np.asarray(patch).transpose(2, 0, 1))
    return np.stack(patches)


def split_of(pixels: np.ndarray, labels: np.ndarray, class_names: list[str], name: str) -> Images:
    names = [f"{name}/{row}" for row in range(len(pixels))]
    return Images(pixels, labels, names, class_names, [], name, "benchmark")


def main() -> None:  # noqa: PLR0915  # a script, from top to bottom
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, help="an encoder elsewhere")
    parser.add_argument("--features", type=Path, help="a folder that keeps the features of the unchanged images")
    parser.add_argument("--images", type=int, help="use this many, drawn at random; all by default")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    encoder = load_encoder(args.encoder or args.data_root, "cpu")
    kept, pixels, labels, features = {}, [], [], []
    for split in ("train", "test", "unlabeled"):
        path = version_files(args.data_root / f"02_intermediate/images_{split}.npy")[0]
        kept[split] = images = ImagesDataset(filepath=str(path)).load()
        pixels.append(images.pixels)
        labels.append(images.labels)
        saved = args.features / f"f_{split}.npy" if args.features else None
        if saved and saved.exists():
            features.append(np.load(saved))
        else:
            features.append(encode(encoder.model, images.pixels, encoder.header, encoder.device))
            if saved:
                np.save(saved, features[-1])
    classes = kept["train"].class_names
    pixels, true, x = np.concatenate(pixels), np.concatenate(labels), np.concatenate(features)
    if args.images:
        drawn = np.sort(rng.permutation(len(x))[: args.images])
        pixels, true, x = pixels[drawn], true[drawn], x[drawn]
    total = len(pixels)
    planted = total // 100
    rows = rng.permutation(total)
    originals, strangers = rows[:planted], rows[planted : 2 * planted]
    labeled = np.flatnonzero(true >= 0)
    swapped = rng.choice(np.setdiff1d(labeled, rows[: 2 * planted]), len(labeled) // 100, replace=False)
    y = true.copy()
    y[swapped] = (y[swapped] + rng.integers(1, len(classes), len(swapped))) % len(classes)
    copies = np.stack([changed(pixels[row], CHANGES[i % len(CHANGES)]) for i, row in enumerate(originals)])
    pixels[strangers] = foreign(planted, pixels.shape[-1], rng)
    x[strangers] = encode(encoder.model, pixels[strangers], encoder.header, encoder.device)
    y[strangers] = -1
    copied = encode(encoder.model, copies, encoder.header, encoder.device)
    pixels, x = np.concatenate([pixels, copies]), np.concatenate([x, copied])
    y = np.concatenate([y, np.full(planted, -1)])

    images = split_of(pixels, y, classes, "train")
    none = split_of(pixels[:0], y[:0], classes, "test")
    latents = {
        "train": Tensors({"features": x, "index": np.arange(len(x))}, {}),
        "test": Tensors({"features": x[:0], "index": np.arange(0)}, {}),
    }
    start = time.perf_counter(), time.process_time()
    pool = ImagePool.of({"train": images, "test": none}, latents)
    neighbors = pool.nearest(10)
    quality = quality_issues(pool, RawImages("array", Path()))
    _, group = duplicate_issues(pool, quality.empty, neighbors)
    outliers = outlier_issues(pool, neighbors)
    known = np.flatnonzero(y >= 0)
    probabilities = cross_validated(x[known], y[known], len(classes), CS, 5, 0, group[known])
    issues = confident_learning(probabilities, y[known])
    print(
        f"{len(pool):,} images: {time.perf_counter() - start[0]:.0f} s, {time.process_time() - start[1]:.0f} s of CPU, "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )

    grouped = group[total:]
    hit = (grouped >= 0) & (grouped == group[originals])
    print(f"near duplicates: {planted} planted, recall {hit.mean():.3f}")
    for i, how in enumerate(CHANGES):
        print(f"  {how}: recall {hit[i :: len(CHANGES)].mean():.3f}")
    before = [set(np.flatnonzero(group == number)) for number in range(group.max() + 1)]
    with_copy = [members for members in before if max(members) >= total]
    wrong = sum(len(members) - 2 for members in with_copy)
    print(f"  {len(before)} groups; {len(with_copy)} with a copy, in which {wrong} further images")

    k = len(swapped)
    truth = np.isin(known, swapped)
    order = np.argsort(-issues.score, kind="stable")
    print(f"swapped labels: {k} planted, chance {truth.mean():.3f}")
    print(f"  precision at {k}: {truth[order[:k]].mean():.3f}, AUROC {roc_auc_score(truth, issues.score):.3f}")
    flagged = issues.suspicious
    print(f"  suspicious: {flagged.sum()}, precision {truth[flagged].mean():.3f}, recall {flagged[truth].mean():.3f}")
    if find_spec("cleanlab"):
        from cleanlab.filter import find_label_issues  # noqa: PLC0415
        from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

        quality_scores = get_label_quality_scores(y[known], probabilities, method="normalized_margin")
        theirs = find_label_issues(y[known], probabilities, filter_by="prune_by_noise_rate", n_jobs=1)
        first = np.argsort(quality_scores, kind="stable")[:k]
        print(
            f"  cleanlab: precision at {k}: {truth[first].mean():.3f}, "
            f"AUROC {roc_auc_score(truth, -quality_scores):.3f}"
        )
        print(
            f"  cleanlab: {theirs.sum()} issues, precision {truth[theirs].mean():.3f}, "
            f"recall {theirs[truth].mean():.3f}"
        )

    distance = 1 - neighbors.similarity[:total, -1]
    odd = np.isin(np.arange(total), strangers)
    first = np.argsort(-distance)[:planted]
    flagged_names = {issue.path for issue in outliers}
    is_flagged = np.array([f"train/{row}" in flagged_names for row in range(total)])
    print(f"foreign images: {planted} planted, chance {odd.mean():.3f}, AUROC {roc_auc_score(odd, distance):.3f}")
    print(
        f"  precision at {planted}: {odd[first].mean():.3f}; outliers: {is_flagged.sum()}, "
        f"recall {is_flagged[odd].mean():.3f}"
    )


if __name__ == "__main__":
    main()
