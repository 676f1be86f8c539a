"""Names that select a part of a pipeline are checked."""

import pytest

from byol_kedro.errors import UserError
from byol_kedro.pipeline_registry import build_pipelines
from byol_kedro.runs.selection import check_selection

INGEST = build_pipelines(["ingest"])["ingest"]


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("tags", "data"),
        ("node_names", "ingest.read_images"),
        ("from_nodes", "ingest.describe_images"),
        ("to_nodes", "ingest.describe_images"),
        ("from_inputs", "params:seed"),
        ("to_outputs", "data_summary"),
        ("namespaces", "ingest"),
    ],
)
def test_known_names_are_accepted_and_others_refused(option: str, name: str) -> None:
    check_selection({option: [name]}, INGEST)
    with pytest.raises(UserError, match=f"'{name}x'; did you mean {name}"):
        check_selection({option: [f"{name}x"]}, INGEST)


def test_without_a_similar_name_the_error_says_where_the_names_are_listed() -> None:
    with pytest.raises(UserError, match="kedro registry describe"):
        check_selection({"node_names": ["xyz"]}, INGEST)
