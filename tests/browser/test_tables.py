"""Tables of the page sort by their headers, and long ones filter."""

import re

import pytest

from mixlaws.report.explore.script import FOLDER

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def number_of(browser):
    page = browser.new_page()
    page.set_content("<p></p>")
    page.add_script_tag(path=FOLDER / "tables.js")
    yield lambda text: page.evaluate("(text) => MixlawsTables.numberOf(text)", text)
    page.close()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3.120", 3.12),
        ("−0.128", -0.128),
        ("+0.074 (0.01 to 0.12)", 0.074),
        ("66.4\xa0%", 66.4),
        ("1,228,800", 1_228_800),
        ("1.23M", 1.23e6),
        ("3.71 × 10²¹", 3.71e21),
        ("3.71 × 10⁻³", 3.71e-3),
        ("12 s", 12),
        ("3.5 min", 210),
        ("2.1 h", 7560),
        ("3.5 MB", 3.5e6),
        ("8 × 32, 2 heads", 8),
    ],
)
def test_a_cell_is_the_number_that_it_begins_with(number_of, text, number):
    assert number_of(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["mix-003", "uniform", "", "–"])
def test_a_word_is_no_number(number_of, text):
    assert number_of(text) is None or number_of(text) != number_of(text)


def column(table, place):
    cells = table.locator(f"tbody tr > :nth-child({place})")
    return cells.evaluate_all("all => all.map(each => each.textContent.trim())")


def test_a_table_sorts_by_click_and_by_key_and_back(opened, nested):
    with opened(nested) as page:
        table = page.locator("table", has=page.get_by_text("The trained mixtures: share of each"))
        original = column(table, 1)
        header = table.locator("thead th").nth(2)
        shares = [float(text.split()[0]) for text in column(table, 3)]
        header.locator("button").click()
        assert header.get_attribute("aria-sort") == "ascending"
        assert [float(text.split()[0]) for text in column(table, 3)] == sorted(shares)
        header.locator("button").press("Enter")
        assert header.get_attribute("aria-sort") == "descending"
        assert [float(text.split()[0]) for text in column(table, 3)] == sorted(shares)[::-1]
        header.locator("button").press("Space")
        assert header.get_attribute("aria-sort") == "none"
        assert column(table, 1) == original


def test_sums_stay_last(opened, nested):
    with opened(nested) as page:
        table = page.locator("table", has=page.get_by_text("Cost per stage;"))
        for _ in range(2):
            table.locator("thead button").nth(1).click()
            assert column(table, 1)[-1] == "all stages"


def test_a_long_table_filters_by_words(opened, nested):
    with opened(nested) as page:
        page.locator("summary").evaluate_all("all => all.forEach(each => each.click())")
        table = page.locator(
            "table", has=page.locator("caption", has_text=re.compile(r"^All \d+ runs"))
        )
        box = page.locator("details", has=table).get_by_label("Filter rows")
        rows = table.locator("tbody tr")
        total = rows.count()
        box.fill("99K uniform")
        shown = rows.filter(visible=True)
        assert 0 < shown.count() < total
        assert all("99K" in text and "uniform" in text for text in shown.all_inner_texts())
        line = page.locator("details", has=table).locator(".filter-line")
        assert f"{shown.count()} of {total} rows" in line.inner_text()
        box.fill("")
        assert rows.filter(visible=True).count() == total
