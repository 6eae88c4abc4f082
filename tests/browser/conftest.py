"""Pages in Debian's chromium: opened from disk, watched for errors and requests."""

import shutil
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from fixture_truth import Planted

from mixlaws.figures import draw_figures
from mixlaws.report.page import write_report


@pytest.fixture(scope="session")
def browser():
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed: the page is not opened in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def written(tmp_path_factory, write_results):
    """Return a function that writes the page of a planted truth, once, and its results folder."""
    made = {}

    def write(planted):
        if planted not in made:
            folder = tmp_path_factory.mktemp("page")
            config = write_results(folder, planted)
            draw_figures(folder, config, folder / "figures")
            write_report(folder, config, folder / "report.html")
            made[planted] = SimpleNamespace(folder=folder, config=config)
        return made[planted]

    return write


@pytest.fixture(scope="session")
def nested(browser, written):  # noqa: ARG001 (no browser, no page)
    return written(Planted())


@pytest.fixture(scope="session")
def joint(browser, written):  # noqa: ARG001
    return written(Planted(pipeline="joint", confirmed=False))


@pytest.fixture
def opened(browser):
    """Return a context manager that opens a page; it must cause no error and no request."""

    @contextmanager
    def open_page(made, **options):
        address = (made.folder / "report.html").as_uri()
        page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
        problems, requests = [], []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        if options.get("java_script_enabled", True):
            page.wait_for_function("() => globalThis.mixlaws")
        yield page
        page.wait_for_timeout(100)
        page.close()
        assert problems == []
        assert [url for url in requests if not url.startswith("data:")] == [address]

    return open_page
