"""`kedro similar`: the images of a folder that are most similar to given ones.

Imports are inside the command, because `kedro run` and `kedro similar --help` do not need them.
"""
# ruff: noqa: PLC0415

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from byol_kedro.cli.error_line import print_user_errors
from byol_kedro.cli.options import session_options
from byol_kedro.cli.results_commands import quiet
from byol_kedro.errors import UserError, escaped
from byol_kedro.files.paths import expanded

if TYPE_CHECKING:
    from byol_kedro.runs.gallery import Gallery
    from byol_kedro.runs.history import Catalog

SHEET = "similar.html"
HELP = """Find the most similar images of all splits, by the cosine similarity of their features.

Prints similarity, split and path of each, and writes them as an HTML file that loads nothing from elsewhere. Images
with exactly the same pixels as IMAGE, such as the image itself, are left out.
"""


@click.command(help=HELP)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--top", type=click.IntRange(min=1), default=24, show_default=True, help="Number of images to find.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default=SHEET, show_default=True, help="The HTML file."
)
@click.option("--encoder", "version", help="Version (run_id) of the encoder; that of the newest features by default.")
@session_options
def similar(
    images: tuple[str, ...], top: int, output: Path, version: str | None, session_options: dict[str, Any]
) -> None:
    """Print the most similar images and write a contact sheet."""
    with print_user_errors():
        output = expanded(output, "--output")
        if output.suffix not in {".html", ".htm"}:
            raise UserError(f"--output {output}: found the ending {output.suffix!r}, expected .html")
        with quiet():
            from byol_kedro.runs.history import open_catalog
            from byol_kedro.runs.places import check_output_path

            catalog = open_catalog(session_options)
            check_output_path(output, catalog)
            gallery, root = _gallery(catalog, session_options, version)
            readable, unreadable = _decoded(images, gallery.size)
        for line in unreadable:
            click.echo(f"Error: {line}", err=True)
        if readable:
            _search(gallery, readable, top, root, output)
        if unreadable:
            raise click.exceptions.Exit(1)


def _gallery(catalog: "Catalog", session_options: dict[str, Any], version: str | None) -> "tuple[Gallery, Path]":
    """The images, and the folder that their names are relative to."""
    from byol_kedro.runs.command_line import kedro_run
    from byol_kedro.runs.gallery import PLACES, gallery_of
    from byol_kedro.runs.history import versioned_entries

    entries = versioned_entries(catalog)
    parameters = catalog.load("parameters")
    make = kedro_run(["extract"] if entries["encoder"].exists() else [], session_options)
    gallery = gallery_of({name: entries[name] for name in PLACES}, parameters["device"], version, make)
    return gallery, Path(parameters["raw_root"]).expanduser()


def _decoded(images: tuple[str, ...], size: int) -> tuple[dict[str, Any], list[str]]:
    """The pixels by path, and a line for each image that cannot be read."""
    from byol_kedro.files.decode import UnreadableImage, decode

    pixels, unreadable = {}, []
    for image in images:
        path = Path(image).expanduser()
        try:
            pixels[image] = decode(path, size)
        except UnreadableImage as reason:
            what = "a folder; an image file is expected" if path.is_dir() else reason
            unreadable.append(escaped(f"{image}: {what}"))
    return pixels, unreadable


def _search(gallery: "Gallery", images: dict[str, Any], top: int, root: Path, output: Path) -> None:
    import numpy as np

    from byol_kedro.log import counted
    from byol_kedro.runs.contact_sheet import Query, Shown, write_contact_sheet
    from byol_kedro.runs.gallery import paths_of

    found = gallery.similar_pixels(np.stack(list(images.values())), top)
    queries = []
    for (image, pixels), matches in zip(images.items(), found, strict=True):
        paths = paths_of(matches, root)
        click.echo(escaped(f"{image}:"))
        for path, match in zip(paths, matches, strict=True):
            click.echo(escaped(f"{match.similarity:.3f}  {match.split:9}  {path}"))
        shown = [Shown(path, m.pixels, m.name, m.split, m.similarity) for path, m in zip(paths, matches, strict=True)]
        queries.append(Query(image, pixels, found=shown))
    encoder = f"encoder {gallery.encoder.version} ({gallery.encoder.header.architecture})"
    about = f"{counted(len(gallery), 'image')} searched with {encoder}"
    write_contact_sheet(output, about, queries)
    click.echo(about)
    for split, count in gallery.left_out.items():
        click.echo(
            f"{counted(count, f'{split} image')} not searched, for lack of saved features: run the pipeline extract "
            "with --params pair_model.unlabeled=true"
        )
    click.echo(f"Contact sheet: {output}")
