"""Images in the folder for the pipeline predict are found, and an empty folder is refused."""

from pathlib import Path

import pytest

from byol_kedro.datasets.new_images import NewImages, NewImagesDataset
from byol_kedro.errors import UserError


def test_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no image")
    cases = {
        "empty": "no images found in .*empty",
        "empty/notes.txt": ".*notes.txt is a file",
        "gone": ".*gone does",
    }
    for name, message in cases.items():
        with pytest.raises(UserError, match=f"predict_root: {message}"):
            NewImagesDataset.load.__wrapped__(NewImagesDataset(filepath=str(tmp_path / name)))


def test_ignored_types_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.heic").touch()
    with pytest.raises(UserError, match=r"\(1 file of other types ignored: .heic 1\); supported file types"):
        NewImagesDataset.load.__wrapped__(NewImagesDataset(filepath=str(tmp_path)))


def test_images_are_found_at_any_depth(tmp_path: Path) -> None:
    for name in ("b.JPG", "deep/er/a.webp", "notes.txt", "@eaDir/b.JPG/thumb.jpg", "deep/__MACOSX/._a.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = NewImagesDataset(filepath=str(tmp_path)).load()
    assert found == NewImages(tmp_path, ["b.JPG", "deep/er/a.webp"], {".txt": 1, "system folders": 2})
    assert list(found.paths()) == [tmp_path / "b.JPG", tmp_path / "deep/er/a.webp"]
