"""Reuse of a finished training, and `--only-missing-outputs`."""

import shutil
from pathlib import Path

from tests.support.kedro_runs import Chain, header, type_kedro_run


def test_finished_training_is_reused_under_a_new_version(chain_copy: Path, caplog) -> None:
    with caplog.at_level("INFO"):
        outcome = type_kedro_run(chain_copy, "--pipelines=pretrain")
    again = Chain(chain_copy, outcome)
    assert outcome.exit_code == 0, outcome.output
    assert "this training is already finished" in caplog.text
    first, second = (header(path) for path in again.versions("encoder"))
    assert first["version"] != second["version"]
    assert first["fingerprint"] == second["fingerprint"]
    histories = [path.read_bytes() for path in again.versions("training_history")]
    assert histories[0] == histories[1]


def test_outputs_of_earlier_inputs_are_warned_about(chain_copy: Path, caplog) -> None:
    for folder in chain_copy.glob("*/images_*.npy"):
        shutil.rmtree(folder)
    outcome = type_kedro_run(chain_copy, "--pipelines=ingest,extract", "--only-missing-outputs")
    assert outcome.exit_code == 0, outcome.output
    (line,) = (record.getMessage() for record in caplog.records if "earlier versions" in record.getMessage())
    assert "latents_test, latents_train" in line
