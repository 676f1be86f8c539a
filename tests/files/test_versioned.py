"""Which folders are versions of an entry, for every kind of entry, wherever its files lie."""

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
def test_a_folder_whose_name_is_a_pattern_is_a_folder_as_any_other(tmp_path, kind, name):
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
def test_what_is_named_otherwise_is_no_version(tmp_path, kind, name):
    for version in (OLD, NEW):
        dataset_of(kind, tmp_path, version).save(KINDS[kind][1])
    entry = tmp_path / f"a.{kind}"
    (entry / NEW).rename(entry / name)
    assert versions_of(kind, tmp_path) == [OLD]
    assert dataset_of(kind, tmp_path).resolve_load_version() == OLD


@each_kind
def test_a_folder_without_the_entrys_file_is_no_version(tmp_path, kind):
    dataset_of(kind, tmp_path, OLD).save(KINDS[kind][1])
    (tmp_path / f"a.{kind}" / NEW).mkdir()
    assert versions_of(kind, tmp_path) == [OLD]


@each_kind
def test_a_file_in_the_place_of_all_versions_is_none(tmp_path, kind):
    (tmp_path / f"a.{kind}").write_text("a file")
    assert not dataset_of(kind, tmp_path).exists()


def test_every_versioned_entry_of_the_catalog_is_of_a_kind_that_is_tested():
    from byol_kedro.runs.history import open_catalog, versioned_entries  # noqa: PLC0415  (the project has to be bootstrapped first)

    assert layout()
    entries = versioned_entries(
        open_catalog({"env": "test", "conf_source": None, "runtime_params": {"data_root": "/root"}})
    )
    assert {type(entry) for entry in entries.values()} == {cls for cls, _ in KINDS.values()}


@pytest.mark.parametrize("name", [OLD, "1999-12-31T23.59.59.999Z"])
def test_what_kedro_names_a_version_is_one(name):
    assert is_version(name)


def test_a_time_that_there_is_not_names_no_version():
    assert not is_version("2026-02-30T00.00.00.000Z")
    assert not is_version("2026-01-01T24.00.00.000Z")
