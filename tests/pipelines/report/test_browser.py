"""The page in Chromium: no script error, no request, contents, hover, phone width, dark mode, print."""

import shutil
from contextlib import contextmanager

import pytest

from tests.support.report_page import build

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(build(), encoding="utf-8")
    return path.as_uri()


@contextmanager
def opened(browser, address, **options):
    """The page, whose errors and requests beyond the file itself are in `problems`."""
    page = browser.new_page(**options)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda made: None if made.url == address else page.problems.append(made.url[:80]))
    page.goto(address, wait_until="load")
    yield page
    page.close()


def color(page, selector, name="color"):
    """The brightness of a color of an element, from 0 to 255."""
    text = page.eval_on_selector(selector, f"element => getComputedStyle(element).{name}")
    return sum(map(float, text.split("(")[1].rstrip(")").split(",")[:3])) / 3


def test_no_script_error_and_no_request(browser, address):
    with opened(browser, address) as page:
        page.wait_for_selector("#training-curves .main-svg")
        page.mouse.wheel(0, 10_000)
        requests = [problem for problem in page.problems if not problem.startswith(("data:", "blob:"))]
        assert requests == []


def test_contents_link_scrolls_to_its_section(browser, address):
    with opened(browser, address, reduced_motion="reduce") as page:
        page.click("nav a[href='#pair-model']")
        page.wait_for_function("document.getElementById('pair-model').getBoundingClientRect().top < innerHeight")
        assert page.url.endswith("#pair-model")


def test_cell_of_the_confusion_matrix_says_how_many_images_it_counts(browser, address):
    with opened(browser, address) as page:
        plot = page.locator("#confusion-matrix .nsewdrag").first
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 8, box["y"] + box["height"] / 8)  # the first of four classes
        page.wait_for_selector("#confusion-matrix .hovertext")
        assert "predicted correctly" in page.text_content("#confusion-matrix .hovertext")


@pytest.mark.parametrize("width", [390, 1400])
def test_page_does_not_scroll_sideways(browser, address, width):
    with opened(browser, address, viewport={"width": width, "height": 844}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_phone_shows_top1_of_every_row(browser, address):
    with opened(browser, address, viewport={"width": 390, "height": 844}) as page:
        cells = page.locator("#results > .wide td:nth-child(3)")
        ends = [cells.nth(row).bounding_box() for row in range(cells.count())]
        assert ends
        assert max(box["x"] + box["width"] for box in ends) <= 390


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_page_and_figures_follow_the_color_scheme(browser, address, scheme, dark):
    with opened(browser, address, color_scheme=scheme) as page:
        page.wait_for_selector("#top1-bars .xtick text")
        assert (color(page, "body", "backgroundColor") < 60) == dark
        assert (color(page, "#top1-bars .xtick text", "fill") > 180) == dark


def test_paper_is_light(browser, address):
    with opened(browser, address, color_scheme="dark") as page:
        page.emulate_media(media="print")
        assert color(page, "body", "backgroundColor") == 255
