"""Sphinx: the documentation's site. `make docs` builds it into docs/_build/html."""

import re

from mixlaws import __version__

project = "mixlaws"
author = "The mixlaws authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

# Links such as method.md#intervals work on GitHub and on the site.
myst_heading_anchors = 4
# Pages may include files of the root, whose title is a heading of the page.
suppress_warnings = ["myst.header"]

# The public modules are documented by their docstrings, in the order of the source.
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
add_module_names = False

html_theme = "furo"
html_title = f"mixlaws {release}"
html_show_sourcelink = False


def escape_docstring(_app, _what, _name, _object, _options, lines):
    """Docstrings are plain text with `code`: escape what reStructuredText would read"""
    for i, line in enumerate(lines):
        parts = re.split(r"(`[^`]+`)", line)
        lines[i] = "".join(
            f"`{part}`"
            if part.startswith("`")
            else re.sub(r"([*|]|_(?!\w)|(?<!\w)_)", r"\\\1", part)
            for part in parts
        )


def setup(app):
    """Connect ahead of napoleon, whose priority is 500."""
    app.connect("autodoc-process-docstring", escape_docstring, priority=400)
