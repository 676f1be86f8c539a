"""Secrets in addresses are never shown on a terminal, in logs, manifests or reports."""

import csv
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byol_kedro.datasets.raw import RawImages, RawImagesDataset
from byol_kedro.files.masking import masked, masked_address, masked_text, masked_values
from byol_kedro.runs.command_line import kedro_run as suggested
from tests.support.downloading import FILE, error_of
from tests.support.kedro_runs import Outcome
from tests.support.run_builder import RunBuilder, type_results
from tests.support.web import Answer, serve

SECRET = "s3cr3t"
ADDRESS = f"https://me:{SECRET}@127.0.0.1:9/stl10_binary.tar.gz?token={SECRET}"
SHOWN = "https://***@127.0.0.1:9/stl10_binary.tar.gz?token=***"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://host/a.tar.gz", "https://host/a.tar.gz"),
        ("https://host:8080/a.tar.gz", "https://host:8080/a.tar.gz"),
        ("https://host:port/a", "https://host:port/a"),
        ("https://[::1]:8080/a", "https://[::1]:8080/a"),
        ("https://host/@scope/a", "https://host/@scope/a"),
        ("file:///disks/a.tar.gz", "file:///disks/a.tar.gz"),
        ("never", "never"),
        ("resnet18@/disks/a.pth", "resnet18@/disks/a.pth"),
        ("https://me:pw@host/a", "https://***@host/a"),
        ("https://token@host/a", "https://***@host/a"),
        ("https://me@work:pw@host/a", "https://***@host/a"),
        ("https://me:p/w@host/a", "https://***"),
        ("https://me:p?w@host/a", "https://***"),
        ("https://me:p#w@host/a", "https://***"),
        ("https://me:p@/w@host/a", "https://***"),
        ("https://me:p@w/w@host/a", "https://***"),
        ("https://me:1/w@host/a", "https://***"),
        ("https://host/a?X-Amz-Signature=1b&X-Amz-Date=2", "https://host/a?X-Amz-Signature=***&X-Amz-Date=***"),
        ("https://host/a?token", "https://host/a?***"),
        ("https://host/a?a=b=c;d=e", "https://host/a?a=***;d=***"),
        ("https://host/a?a=b c", "https://host/a?a=***"),
        ("https://host/a#token", "https://host/a#***"),
        ("HTTPS://me:pw@host/a", "HTTPS://***@host/a"),
        ("--params=seed=1,raw_url=https://host/a?a=b,device=cpu", "--params=seed=1,raw_url=https://host/a?a=***,device=cpu"),
        (r"--params=raw_url=https://host/a?a=b\,c=d,seed=1", "--params=raw_url=https://host/a?a=***,seed=1"),
    ],
)  # fmt: skip
def test_only_secrets_are_masked(address: str, shown: str) -> None:
    assert masked(address) == shown
    assert masked_values({"parameters": [address]}) == {"parameters": [shown]}


def test_address_without_scheme_is_masked() -> None:
    assert masked_address("me:pw@host/a?b=c") == "***@host/a?b=***"
    assert masked_address("host/a") == "host/a"


def test_other_text_is_kept() -> None:
    assert masked_text("kedro run '--params=raw_url=https://me:pw@h/a?b=c,seed=1' --env=x") == (
        "kedro run '--params=raw_url=https://***@h/a?b=***,seed=1' --env=x"
    )
    assert masked_text("not fetched: http://me@h/a (http://h?b=c), again") == (
        "not fetched: http://***@h/a (http://h?b=***), again"
    )


LETTERS = string.ascii_letters + string.digits + "!$()*+-._~%:@="


@given(secret=st.text(LETTERS, min_size=1), form=st.sampled_from(["https://{}@h/a", "http://h/a?t={}", "http://h/#{}"]))
def test_secret_of_any_form_is_masked(secret: str, form: str) -> None:
    address = form.format(f"QQ{secret}QQ")
    _shows_nothing(address)


@given(secret=st.text(LETTERS + "/?#", min_size=1))
def test_unquoted_password_is_masked(secret: str) -> None:
    _shows_nothing(f"https://me:QQ{secret}QQ@h/a")


def _shows_nothing(address: str) -> None:
    assert "QQ" not in masked(address)
    assert "QQ" not in masked(f"--params=raw_url={address}")
    assert "QQ" not in masked_text(f"kedro run --params=raw_url={address} --env=test")


def everything(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_secret_is_not_stored_or_shown(
    tmp_path: Path, kedro_run: Callable[..., Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    for seed in (1, 2):
        outcome = kedro_run("--pipelines=ingest", params=f"seed={seed},raw_url={ADDRESS}")
        assert outcome.exit_code == 0, outcome.output
        assert SECRET not in outcome.output
    assert SHOWN.encode() in everything(tmp_path)
    assert SECRET.encode() not in everything(tmp_path)
    for words in (["--format=json"], ["--format=csv"], ["--format=markdown"], ["diff", "2", "2"]):
        assert SECRET not in type_results(tmp_path, *words).output
    assert SECRET not in caplog.text


@pytest.mark.parametrize("words", [[], ["--format=json"], ["--format=csv"], ["--format=markdown"]])
def test_old_manifest_is_masked_when_shown(tmp_path: Path, words: list[str]) -> None:
    builder = RunBuilder(tmp_path)
    builder.died("2026-03-01T10.00.00.000Z", command=f"kedro run '--params=raw_url={ADDRESS}'")
    outcome = type_results(tmp_path, *words)
    assert outcome.exit_code == 0
    assert SECRET not in outcome.output


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (["--pipelines=pretrain"], f"raw_url={ADDRESS}"),
        (["--pipelines=ingest"], f"raw_url=ftp://me:{SECRET}@host/a?b={SECRET}"),
        (["--pipelines=ingest"], f"raw_url=me:{SECRET}@host/a"),
        (["--pipelines=ingest"], f"source=stl10,raw_url=http://127.0.0.1:9/a?token={SECRET}"),
        (["--pipelines=ingest"], f"source=stl10,raw_url={ADDRESS}"),
    ],
)
def test_errors_do_not_show_secrets(
    kedro_run: Callable[..., Outcome], words: list[str], params: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr("byol_kedro.files.download.time.sleep", lambda _: None)
    outcome = kedro_run(*words, params=params)
    assert outcome.exit_code == 1
    assert "***" in outcome.output
    assert SECRET not in outcome.output + caplog.text


@pytest.mark.parametrize(
    "answer", [Answer(status=404), Answer(headers={"Content-Type": "text/html"}), Answer(length=7), Answer(body=b"x")]
)
def test_server_messages_do_not_show_secrets(tmp_path: Path, answer: Answer, caplog) -> None:
    with serve(FILE, answer) as web:
        message = error_of(f"{web.url}?token={SECRET}", tmp_path / "file")
    assert "token=***" in message
    assert SECRET not in message + caplog.text


def test_kedro_and_repr_do_not_show_secrets() -> None:
    assert SECRET not in str(RawImagesDataset(source="stl10", filepath="x", url=ADDRESS))
    assert SECRET not in repr(RawImages("stl10", Path("x"), ADDRESS))


def test_suggested_commands_are_masked() -> None:
    command = suggested(["ingest"], {"env": "test", "runtime_params": {"raw_url": ADDRESS, "seed": 1}})
    assert "***" in command
    assert "seed=1" in command
    assert SECRET not in command


def test_csv_list_is_readable(tmp_path: Path) -> None:
    builder = RunBuilder(tmp_path)
    builder.died("2026-03-01T10.00.00.000Z", command=f"kedro run --params=raw_url={ADDRESS}")
    (row,) = csv.DictReader(type_results(tmp_path, "--format=csv").lines)
    assert row["command"] == f"kedro run --params=raw_url={SHOWN}"
