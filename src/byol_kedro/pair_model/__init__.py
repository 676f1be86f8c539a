"""A small network fitted to pairs of images: pairs, model, training, baselines, scores, clusters and map."""
