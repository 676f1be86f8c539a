"""Kedro datasets of the catalog: images, tensors, tables, documents, figures, checkpoints and files of pairs."""
