"""What the tables call features and classifiers."""

BYOL = "BYOL"
UNTRAINED = "untrained network"
SUPERVISED = "supervised, from scratch"
PIXELS = "pixels"  # goes on with how the pixels were made smaller

# The classifier of each protocol, in the order of the tables.
CLASSIFIER = {
    "logistic": "logistic regression",
    "linear_adam": "logistic regression",
    "linear_sgd": "logistic regression",
    "mlp": "MLP",
    "knn": "kNN",
    "knn_weighted": "kNN",
}
