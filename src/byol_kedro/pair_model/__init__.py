"""A small network over pairs of images: pairs, model, training, baselines, scores, clusters and map."""
