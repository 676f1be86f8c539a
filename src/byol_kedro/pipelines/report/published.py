"""What others report on STL-10 with the same network, as bare numbers: no interval is made up for them."""

from typing import Any

README = "sthalles/PyTorch-BYOL README"
ISSUE_4 = "sthalles/PyTorch-BYOL#4 (users)"
ISSUE_6 = "sthalles/PyTorch-BYOL#6 (users)"

LINKS = {
    README: "https://github.com/sthalles/PyTorch-BYOL#readme",
    ISSUE_4: "https://github.com/sthalles/PyTorch-BYOL/issues/4",
    ISSUE_6: "https://github.com/sthalles/PyTorch-BYOL/issues/6",
}

DATA = "stl10"

_PIXELS: dict[str, Any] = {"features": "pixels, PCA 256", "dim": 256, "data": DATA, "source": "published"}
_BYOL: dict[str, Any] = {
    "classifier": "logistic regression",
    "protocol": "published",
    "features": "BYOL",
    "architecture": "resnet18",
    "dim": 512,
    "projection_dim": 128,
    "batch_size": 64,
    "data": DATA,
    "source": "published",
}

# The two reports of ISSUE_4 are one range: tables write them in one row.
ROWS: tuple[dict[str, Any], ...] = (
    {**_BYOL, "epochs": 80, "top1": 0.752, "reference": README},
    {**_BYOL, "epochs": 80, "top1": 0.695, "reference": ISSUE_4},
    {**_BYOL, "epochs": 80, "top1": 0.700, "reference": ISSUE_4},
    {**_BYOL, "epochs": 40, "top1": 0.701, "reference": README},
    {**_BYOL, "epochs": 40, "top1": 0.665, "reference": ISSUE_6},
    {
        **_PIXELS,
        "classifier": "logistic regression",
        "protocol": "logistic",
        "top1": 0.360,
        "reference": README,
    },
    {**_PIXELS, "classifier": "kNN", "protocol": "knn", "top1": 0.318, "reference": README},
)
