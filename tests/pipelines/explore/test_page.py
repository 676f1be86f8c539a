"""The page of the map: one file that loads nothing, with the right thumbnail and neighbors at each point."""

import base64
import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs

from byol_kedro.pipelines.explore import page as module
from tests.support.evaluation_inputs import images

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = "</script><script>alert(1)</script>{{ 7 * 191 }}"


def inputs(class_names=("cat", "dog", "fox"), n=12):
    """`n` training images, each one flat color, on a line; the neighbors of each are the next two."""
    colors = (np.arange(n)[:, None, None, None] * 20 * np.ones((n, 3, 4, 4))).astype(np.uint8)
    labels = np.arange(n) % 3
    split = replace(
        images("train"), pixels=colors, labels=labels, names=[f"train/{i:02}" for i in range(n)],
        class_names=list(class_names),
    )  # fmt: skip
    table = pd.DataFrame(
        {
            "name": split.names, "split": "train", "label": labels, "class": [class_names[y] for y in labels],
            "cluster": np.arange(n) // 6, "x": np.arange(n, dtype=np.float32), "y": np.zeros(n, np.float32),
        }
    )  # fmt: skip
    nearest = pd.DataFrame({f"neighbor_{k}": np.roll(split.names, -k) for k in (1, 2)})
    nothing = replace(split, pixels=colors[:0], labels=labels[:0], names=[])
    return table, nearest, {"train": split, "test": nothing, "unlabeled": nothing}


def build(**given):
    return module.explorer_page({"architecture": "resnet18", "version": "v1"}, *inputs(**given))


def content(page):
    return json.loads(re.search(r"const CONTENT = (\{.*\});", page)[1])


def decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_page_loads_nothing_from_elsewhere():
    body = build().replace(get_plotlyjs(), "")
    assert not re.search(r"""(src|href)=["'](?!data:)""", body)
    assert not re.search(r"@import|url\(http", body)


def test_points_and_neighbors():
    found = content(build())
    assert decoded(found["x"], "<f4").tolist() == list(range(12))
    assert decoded(found["neighbors"], "<i4").reshape(12, 2).tolist() == [
        [(i + 1) % 12, (i + 2) % 12] for i in range(12)
    ]
    assert found["perImage"] == 2


def test_colorings():
    found = content(build())["colorings"]
    assert found["class"]["groups"] == ["cat", "dog", "fox"]
    assert decoded(found["class"]["of"], "<i4").tolist() == [0, 1, 2] * 4
    assert found["cluster"]["groups"] == ["cluster 0", "cluster 1"]
    assert decoded(found["split"]["of"], "<i4").tolist() == [0] * 12


def test_clusters_are_in_the_order_of_their_numbers():
    table, nearest, splits = inputs()
    page = module.explorer_page({"architecture": "a", "version": "v"}, table.assign(cluster=range(12)), nearest, splits)
    assert content(page)["colorings"]["cluster"]["groups"] == [f"cluster {number}" for number in range(12)]


@pytest.mark.parametrize("image", [0, 5, 11])
def test_thumbnail_of_an_image(image):
    page = build()
    found = content(page)
    sheet = Image.open(io.BytesIO(base64.b64decode(re.search(r'const SHEET = "(.*?)"', page)[1])))
    side, columns = found["side"], found["columns"]
    left, top = image % columns * side, image // columns * side
    shown = np.asarray(sheet.crop((left + 8, top + 8, left + side - 8, top + side - 8)), float).mean()
    assert shown == pytest.approx(20 * image, abs=3)


def test_many_images_have_smaller_thumbnails(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 12 * 48**2)
    assert content(build())["side"] == 48


def test_text_is_never_markup_or_a_template():
    page = build(class_names=[HOSTILE, "dog", "fox"]).replace(get_plotlyjs(), "")
    assert "alert(1)</script>" not in page
    assert "1337" not in page
    assert content(page)["colorings"]["class"]["groups"][0] == HOSTILE


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_click_shows_the_image_and_its_neighbors(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "explorer.html"
    path.write_text(build(class_names=["<b>cat</b>", "dog", "fox"]), encoding="utf-8")
    problems = []
    with sync_api.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader"],
        )
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda made: None if made.url.startswith(("file:", "blob:", "data:")) else problems.append(made.url),
        )
        page.goto(path.as_uri())
        page.wait_for_selector("#map .nsewdrag")
        place = page.evaluate(
            """() => {
              const map = document.getElementById("map"), layout = map._fullLayout, box = map.getBoundingClientRect();
              return [box.left + layout._size.l + layout.xaxis.d2p(3), box.top + layout._size.t + layout.yaxis.d2p(0)];
            }"""
        )
        page.mouse.move(*place)
        page.wait_for_selector("#tile", state="visible")
        page.mouse.click(*place)
        page.wait_for_selector("#neighbors button")
        assert page.text_content("#selected").startswith("train/03: class <b>cat</b>")
        assert page.locator("#neighbors button").all_text_contents() == ["dog", "fox"]
        page.locator("#neighbors button").first.click()
        assert page.text_content("#selected").startswith("train/04: class dog")
        browser.close()
    assert problems == []
