"""`kedro export`: an encoder as a file for other programs.

What the command calls is imported where it is called: `kedro run` and `kedro export --help` need none of it.
"""
# ruff: noqa: PLC0415

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from byol_kedro.cli.error_line import one_line
from byol_kedro.cli.options import place
from byol_kedro.cli.results_commands import quiet
from byol_kedro.errors import UserError
from byol_kedro.files.paths import expanded

if TYPE_CHECKING:
    from byol_kedro.runs.history import Catalog

NAMES = ("torchvision", "timm", "onnx", "torchscript")


@click.command()
@click.option("--format", "form", type=click.Choice(NAMES), required=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
@click.option("--encoder", "version", help="The version (run_id) of the encoder; the newest unless given.")
@place
def export(form: str, output: Path, version: str | None, place: dict[str, Any]) -> None:
    """Write an encoder for other programs, and check that it gives the same features.

    \b
    torchvision  safetensors by torchvision's names (ResNets), for load_state_dict(…, strict=False)
    timm         safetensors by timm's names, for create_model(…, num_classes=0, checkpoint_path=…)
    onnx         takes uint8 images, normalization inside; needs the extra onnx
    torchscript  takes uint8 images, normalization inside, for torch.jit.load (which torch calls deprecated)

    The file is there only when its features are ours.
    """  # click's mark for lines that are not to be wrapped
    with one_line():
        output = expanded(output, "--output")
        if form in ("torchvision", "timm") and output.suffix != ".safetensors":
            raise UserError(f"--output {output}: {form} takes a file whose name ends in .safetensors")
        with quiet():
            from byol_kedro import load_encoder
            from byol_kedro.export.write import write
            from byol_kedro.runs.history import open_catalog
            from byol_kedro.runs.places import refuse_own_places

            catalog = open_catalog(place)
            refuse_own_places(output, catalog)
            encoder = load_encoder(_encoder_file(catalog, place, version), device="cpu")
            difference = write(encoder, form, output)
        click.echo(
            f"{output}: encoder {encoder.version} ({encoder.header.architecture}) for {form}; its features differ from "
            f"ours by {difference:.0e} of the largest"
        )


def _encoder_file(catalog: "Catalog", place: dict[str, Any], version: str | None) -> Path:
    """Where the encoder lies. UserError where there is none, or not of this version."""
    from kedro.io import AbstractVersionedDataset

    from byol_kedro.runs.command_line import kedro_run
    from byol_kedro.runs.versions import folder, path_of_version, tell_other_names

    dataset = catalog.get("encoder")
    assert isinstance(dataset, AbstractVersionedDataset)
    tell_other_names([dataset])
    there = dataset.list_versions(full_path=False)
    if not there:
        command = kedro_run(["ingest", "pretrain"], place)
        raise UserError(f"there is no encoder in {folder(dataset)}; train one with: {command}")
    if version is not None and version not in there:
        raise UserError(
            f"--encoder {version}: no such version in {folder(dataset)}; the newest there: {', '.join(there[:3])}"
        )
    return path_of_version(dataset, version or there[0])
