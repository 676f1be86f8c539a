"""What could break: a command in a message that does something else than what was typed."""

import shlex
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from kedro.framework.cli.utils import _split_params

from byol_kedro.typed import kedro_run


def hint(env: str | None = None, params: dict[str, Any] | None = None, **pins: str) -> str:
    """The command for the pipelines ingest and pretrain, of a run with these options."""
    return kedro_run(["ingest", "pretrain"], {"env": env, "runtime_params": params or {}}, **pins)


def test_a_command_without_options_names_the_pipelines_alone() -> None:
    assert hint() == "kedro run --pipelines=ingest,pretrain"


def test_environment_parameters_and_pins_are_those_of_the_run() -> None:
    command = hint("sample", {"data_root": "x", "pretrain": {"epochs": 3, "views": {"flip": 0.5}}}, encoder="2026")
    assert command == (
        "kedro run --pipelines=ingest,pretrain --env=sample "
        "--params=data_root=x,pretrain.epochs=3,pretrain.views.flip=0.5 --load-versions=encoder:2026"
    )


def test_a_path_with_blanks_is_quoted_for_the_shell() -> None:
    assert "--params=raw_root=/my pictures" in shlex.split(hint(params={"raw_root": "/my pictures"}))


VALUES = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9, width=16) | st.sampled_from(["cpu", "a b", "ä"])
)


@given(
    st.dictionaries(
        st.sampled_from("abc"), VALUES | st.dictionaries(st.sampled_from("xyz"), VALUES, min_size=1), min_size=1
    )
)
def test_what_kedro_reads_of_the_command_are_the_parameters_of_the_run(params: dict[str, Any]) -> None:
    (typed,) = (word.removeprefix("--params=") for word in shlex.split(hint(params=params)) if "--params" in word)
    assert _split_params(None, None, typed) == params
