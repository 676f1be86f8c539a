"""Where images come from. A new source is a module here and a line in `SOURCES`."""

SOURCES = {
    "array": "byol_kedro.sources.array:Array",
    "cifar10": "byol_kedro.sources.cifar10:Cifar10",
    "folder": "byol_kedro.sources.folder:Folder",
    "photos": "byol_kedro.sources.photos:Photos",
    "stl10": "byol_kedro.sources.stl10:Stl10",
}
