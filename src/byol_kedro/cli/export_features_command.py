"""`kedro export-features`: write the features of all images for other programs.

Imports are inside the command, because `kedro run` and `kedro export-features --help` do not need them.
"""
# ruff: noqa: PLC0415

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from byol_kedro.cli.error_line import print_user_errors
from byol_kedro.cli.options import session_options
from byol_kedro.cli.results_commands import quiet
from byol_kedro.errors import UserError
from byol_kedro.files.paths import expanded

if TYPE_CHECKING:
    from byol_kedro.export.features import Split
    from byol_kedro.runs.history import Catalog

# \b keeps click from wrapping the lines that follow.
HELP = """Write the encoder's features of all images, with their names, splits and classes.

\b
csv                    name, split, label, class, f0, f1, …
npz                    arrays features, labels, names, splits, classes
parquet                name, split, label, class, features (a list)
spotlight              the same with the images, for Renumics Spotlight
tensorboard-projector  a folder for tensorboard --logdir

The features are those of the newest run of the pipeline extract or evaluate.
"""
SUFFIXES = {"csv": ".csv", "npz": ".npz", "parquet": ".parquet", "spotlight": ".parquet", "tensorboard-projector": ""}
SPLITS = ("train", "test", "unlabeled")


@click.command("export-features", help=HELP)
@click.option("--format", "form", type=click.Choice(list(SUFFIXES)), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The file or folder to write.")
@session_options
def export_features(form: str, output: Path, session_options: dict[str, Any]) -> None:
    """Write the features of all images."""
    with print_user_errors():
        output = expanded(output, "--output")
        suffix = SUFFIXES[form]
        if suffix and output.suffix != suffix:
            raise UserError(f"--output {output}: {form} needs a file name that ends in {suffix}")
        if not suffix and output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise UserError(f"--output {output}: {form} needs a new or empty folder")
        with quiet():
            from byol_kedro.export.features import write_features
            from byol_kedro.runs.history import open_catalog
            from byol_kedro.runs.places import check_output_path

            catalog = open_catalog(session_options)
            check_output_path(output, catalog)
            count = write_features(_splits(catalog, session_options), form, output)
        click.echo(f"{output}: features of {count:,} images, for {form}")


def _splits(catalog: "Catalog", session_options: dict[str, Any]) -> "list[Split]":
    """The splits with features.

    Raises:
        UserError: no features are saved, or they belong to other images than those that are there.
    """
    from kedro.io import AbstractVersionedDataset

    from byol_kedro.datasets.provenance import image_names
    from byol_kedro.datasets.tensors import mapped
    from byol_kedro.export.features import Split
    from byol_kedro.runs.command_line import kedro_run
    from byol_kedro.runs.versions import display_folder

    found = []
    for split in SPLITS:
        dataset = catalog.get(f"latents_{split}")
        assert isinstance(dataset, AbstractVersionedDataset)
        if not dataset.list_versions():
            command = kedro_run(["extract"], session_options)
            raise UserError(f"there are no features in {display_folder(dataset)}; compute them with: {command}")
        latents, images = catalog.load(f"latents_{split}"), catalog.load(f"images_{split}")
        found.append(
            Split(
                split, image_names(latents, images), latents["labels"], images.class_names,
                mapped(latents, "features"), images.pixels, latents["index"],
            )
        )  # fmt: skip
    return found
