"""The diff in docs/extending.md adds a probe to parameters, tables, artifact and predict."""

import importlib
import shutil

import numpy as np
import yaml
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tests.support.diffs import documented_diff, patched_package
from tests.support.evaluation_inputs import DATA, ENCODER, images, latents
from tests.support.kedro_runs import ROOT

VALUES = "conf/base/parameters_probes.yml"
SHORT = {
    "linear_adam": {"epochs": 2, "seeds": 1},
    "linear_sgd": {"epochs": 2},
    "mlp": {"epochs": 2},
}


def test_the_documented_diff_adds_a_linear_svm(tmp_path):
    (tmp_path / VALUES).parent.mkdir(parents=True)
    shutil.copyfile(ROOT / VALUES, tmp_path / VALUES)
    with patched_package(documented_diff("extending.md", "A probe"), tmp_path):
        parameters = importlib.import_module("byol_kedro.parameters")
        values = yaml.safe_load((tmp_path / VALUES).read_text("utf-8"))["probes"]
        params = parameters.Probes(**values | {name: values[name] | short for name, short in SHORT.items()})
        chosen = parameters.Predict(probe="linear_svm", neighbors=1).probe

        nodes = importlib.import_module("byol_kedro.pipelines.probes.nodes")
        inputs = latents("train"), latents("test"), images("test")
        metrics, predictions, saved = nodes.fit_probes(ENCODER, *inputs, params, 0)

        classifier = importlib.import_module("byol_kedro.pipelines.predict.classifier")
        probabilities = classifier.load_classifier(chosen, saved, None, params, 0).probabilities(DATA.test_x)
        order = importlib.import_module("byol_kedro.pipelines.report.results").PROTOCOLS

    model = make_pipeline(StandardScaler(), LinearSVC(C=0.01, random_state=0)).fit(DATA.train_x, DATA.train_y)
    expected = model.predict(DATA.test_x)
    (row,) = (row for row in metrics["rows"] if row["protocol"] == "linear_svm")
    assert (row["classifier"], row["settings"]) == ("linear SVM", {"c": 0.01})
    assert row["top1"] == np.mean(expected == DATA.test_y)
    assert predictions.query("protocol == 'linear_svm'")["guess"].tolist() == expected.tolist()
    assert probabilities.argmax(axis=1).tolist() == expected.tolist()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert order.index("linear_svm") == order.index("mlp") - 1
