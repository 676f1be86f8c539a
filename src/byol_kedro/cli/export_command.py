"""`kedro export`: write an encoder for other programs.

Imports are inside the command, because `kedro run` and `kedro export --help` do not need them.
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
    from byol_kedro.runs.history import Catalog

# \b keeps click from wrapping the lines that follow.
HELP = """Write an encoder for other programs and check that it computes the same features.

\b
torchvision  safetensors with torchvision's names (ResNets), for load_state_dict(…, strict=False)
timm         safetensors with timm's names, for create_model(…, num_classes=0, checkpoint_path=…)
onnx         takes uint8 images, normalizes them itself; needs the extra onnx
torchscript  takes uint8 images, normalizes them itself; for torch.jit.load (deprecated in torch)

The file is verified before it is written.
"""
NAMES = ("torchvision", "timm", "onnx", "torchscript")


@click.command(help=HELP)
@click.option("--format", "form", type=click.Choice(NAMES), required=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
@click.option("--encoder", "version", help="Version (run_id) of the encoder; the newest by default.")
@session_options
def export(form: str, output: Path, version: str | None, session_options: dict[str, Any]) -> None:
    """Write an encoder for other programs and check it."""
    with print_user_errors():
        output = expanded(output, "--output")
        if form in ("torchvision", "timm") and output.suffix != ".safetensors":
            raise UserError(f"--output {output}: {form} needs a file name that ends in .safetensors")
        with quiet():
            from byol_kedro import load_encoder
            from byol_kedro.export.write import write
            from byol_kedro.runs.history import open_catalog
            from byol_kedro.runs.places import check_output_path

            catalog = open_catalog(session_options)
            check_output_path(output, catalog)
            encoder = load_encoder(_encoder_file(catalog, session_options, version), device="cpu")
            difference = write(encoder, form, output)
        click.echo(
            f"{output}: encoder {encoder.version} ({encoder.header.architecture}) for {form}; its features differ from "
            f"ours by {difference:.0e} of the largest"
        )


def _encoder_file(catalog: "Catalog", session_options: dict[str, Any], version: str | None) -> Path:
    """Return the path of the encoder.

    Raises:
        UserError: there is no encoder, or not in this version.
    """
    from kedro.io import AbstractVersionedDataset

    from byol_kedro.runs.command_line import kedro_run
    from byol_kedro.runs.versions import display_folder, path_of_version, warn_of_ignored_folders

    dataset = catalog.get("encoder")
    assert isinstance(dataset, AbstractVersionedDataset)
    warn_of_ignored_folders([dataset])
    existing = dataset.list_versions(full_path=False)
    if not existing:
        command = kedro_run(["ingest", "pretrain"], session_options)
        raise UserError(f"there is no encoder in {display_folder(dataset)}; train one with: {command}")
    if version is not None and version not in existing:
        raise UserError(
            f"--encoder {version}: no such version in {display_folder(dataset)}; newest versions: "
            f"{', '.join(existing[:3])}"
        )
    return path_of_version(dataset, version or existing[0])
