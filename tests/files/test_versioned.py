"""Which folders are versions, for every versioned dataset."""

import pytest

from byol_kedro.files.versioned import is_version
from tests.support.dataset_kinds import KINDS, dataset_of, each_kind
from tests.support.image_datasets import NEW, OLD
from tests.support.run_builder import layout

PATTERNS = [
    "run[1]",
    "a*b",
    "what?",
    "{x,y}",
    "[!a]",
    "**",
    "back\\slash",
    "new\nline",
    "a#b",
    "50%25",
    "a::b",
    "$HOME",
]


def versions_of(kind, folder):
    return dataset_of(kind, folder).list_versions(full_path=False)


@each_kind
@pytest.mark.parametrize("name", PATTERNS)
def test_glob_characters_in_paths_are_literal(tmp_path, kind, name):
    for other in ("run1", "aab", "whatx", "x", "b", "back", "a"):
        dataset_of(kind, tmp_path / other, "2026-01-03T00.00.00.000Z").save(KINDS[kind][1])
    for version in (OLD, NEW):
        dataset_of(kind, tmp_path / name, version).save(KINDS[kind][1])
    fresh = dataset_of(kind, tmp_path / name)
    assert fresh.exists()
    assert versions_of(kind, tmp_path / name) == [NEW, OLD]
    assert fresh.resolve_load_version() == NEW
    fresh.load()


@each_kind
@pytest.mark.parametrize(
    "name", [f"{NEW} copy", f"{NEW} (1)", f"{NEW}.bak", f".{NEW}", f"{NEW}~", NEW[:-1], NEW.lower(), "zzz", "2027", "²"]
)
def test_other_names_are_not_versions(tmp_path, kind, name):
    for version in (OLD, NEW):
        dataset_of(kind, tmp_path, version).save(KINDS[kind][1])
    entry = tmp_path / f"a.{kind}"
    (entry / NEW).rename(entry / name)
    assert versions_of(kind, tmp_path) == [OLD]
    assert dataset_of(kind, tmp_path).resolve_load_version() == OLD


@each_kind
def test_folder_without_the_file_is_not_a_version(tmp_path, kind):
    dataset_of(kind, tmp_path, OLD).save(KINDS[kind][1])
    (tmp_path / f"a.{kind}" / NEW).mkdir()
    assert versions_of(kind, tmp_path) == [OLD]


@each_kind
def test_file_in_place_of_the_folder_has_no_versions(tmp_path, kind):
    (tmp_path / f"a.{kind}").write_text("a file")
    assert not dataset_of(kind, tmp_path).exists()


def test_all_versioned_dataset_types_are_tested():
    from byol_kedro.runs.history import open_catalog, versioned_entries  # noqa: PLC0415  (the project has to be bootstrapped first)

    assert layout()
    entries = versioned_entries(
        open_catalog({"env": "test", "conf_source": None, "runtime_params": {"data_root": "/root"}})
    )
    assert {type(entry) for entry in entries.values()} == {cls for cls, _ in KINDS.values()}


@pytest.mark.parametrize("name", [OLD, "1999-12-31T23.59.59.999Z"])
def test_kedro_versions_are_recognized(name):
    assert is_version(name)


def test_invalid_date_is_not_a_version():
    assert not is_version("2026-02-30T00.00.00.000Z")
    assert not is_version("2026-01-01T24.00.00.000Z")
