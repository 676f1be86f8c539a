"""Sources of images. A new source is a subclass of `Source` in a module here and a line in `SOURCES`."""

SOURCES = {
    "array": "byol_kedro.sources.array:ArraySource",
    "cifar10": "byol_kedro.sources.cifar10:Cifar10Source",
    "csv": "byol_kedro.sources.csv_table:CsvSource",
    "folder": "byol_kedro.sources.folder:FolderSource",
    "parquet": "byol_kedro.sources.parquet:ParquetSource",
    "photos": "byol_kedro.sources.photos:PhotosSource",
    "stl10": "byol_kedro.sources.stl10:Stl10Source",
    "webdataset": "byol_kedro.sources.webdataset:WebdatasetSource",
}
