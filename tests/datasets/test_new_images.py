"""What could break: an image that is not found, or a folder without one that is taken for an empty answer."""

from pathlib import Path

import pytest

from byol_kedro.datasets.new_images import NewImages, NewImagesDataset
from byol_kedro.errors import UserError


def test_the_folder_has_to_be_there_and_hold_images(tmp_path: Path) -> None:
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


def test_files_of_other_kinds_are_named_where_there_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.heic").touch()
    with pytest.raises(UserError, match=r"\(1 file of other types ignored: .heic 1\); supported file types"):
        NewImagesDataset.load.__wrapped__(NewImagesDataset(filepath=str(tmp_path)))


def test_files_are_found_at_any_depth_and_only_images(tmp_path: Path) -> None:
    for name in ("b.JPG", "deep/er/a.webp", "notes.txt", "@eaDir/b.JPG/thumb.jpg", "deep/__MACOSX/._a.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = NewImagesDataset(filepath=str(tmp_path)).load()
    assert found == NewImages(tmp_path, ["b.JPG", "deep/er/a.webp"], {".txt": 1, "system folders": 2})
    assert list(found.paths()) == [tmp_path / "b.JPG", tmp_path / "deep/er/a.webp"]
