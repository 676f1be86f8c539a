"""Where pictures come from. A new source is a module here and a line in `SOURCES`."""

SOURCES = {
    "array": "byol_kedro.datasets.sources.array:Array",
    "cifar10": "byol_kedro.datasets.sources.cifar10:Cifar10",
    "folder": "byol_kedro.datasets.sources.folder:Folder",
    "photos": "byol_kedro.datasets.sources.photos:Photos",
    "stl10": "byol_kedro.datasets.sources.stl10:Stl10",
}
