"""The page opens from disk, without a network and without errors, in a real browser."""

import shutil

import pytest

from mixlaws.figures import draw_figures
from mixlaws.report.page import write_report

WIDTHS = (1400, 420)


@pytest.fixture(scope="module")
def browser():
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed: the page is not opened in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(browser, tmp_path_factory, write_results):  # noqa: ARG001 (no browser, no page)
    folder = tmp_path_factory.mktemp("page")
    config = write_results(folder)
    draw_figures(folder, config, folder / "figures")
    write_report(folder, config, folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_from_disk_without_errors(browser, address, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems, requests = [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    assert problems == []
    assert requests == [address]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("figure svg").count() == 11
    heights = page.locator("figure svg").evaluate_all("all => all.map(svg => svg.clientHeight)")
    assert min(heights) > 60
    page.close()


def test_text_can_be_read_on_either_background(browser, address):
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(address)
        ink, back = page.evaluate(
            "['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])"
        )
        label = page.locator("#figure-optimum svg text").first
        assert label.evaluate("text => getComputedStyle(text).fill") == ink
        assert contrast(ink, back) > 7
        page.close()


def contrast(first, second):
    """Return the ratio of luminances of two CSS colours, as WCAG defines it."""
    lighter, darker = sorted([luminance(first), luminance(second)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    channels = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
