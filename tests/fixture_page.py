"""Write the page of a results folder, and read its words."""

import re

from mixlaws.figures import draw_figures
from mixlaws.report.page import write_report


def text_of(page):
    """Return the words of a page without its markup and figures."""
    page = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page).replace("\xa0", " "))


def write_page(folder, config):
    """Draw the figures, write the page into the folder and return its HTML."""
    draw_figures(folder, config, folder / "figures")
    write_report(folder, config, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")
