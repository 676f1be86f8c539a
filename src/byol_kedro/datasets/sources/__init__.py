"""Where pictures come from. A new source is a module here and a line in `SOURCES`."""

SOURCES = {
    "photos": "byol_kedro.datasets.sources.photos:Photos",
    "stl10": "byol_kedro.datasets.sources.stl10:Stl10",
}
