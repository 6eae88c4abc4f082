"""Sphinx: the documentation's site. `make docs` builds it into docs/_build/html."""

import re

from mixlaws import __version__

project = "mixlaws"
author = "The mixlaws authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
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
html_show_copyright = False


def read_docstring(_app, _what, _name, _object, _options, lines):
    """Turn a docstring, plain text with `code` and a list below Raises, into reStructuredText."""
    raises = False
    for i, line in enumerate(lines):
        if line == "Raises:":
            raises, lines[i] = True, ""
            continue
        # Outside of code, x_ and |x| are no markup here.
        parts = re.split(r"(`[^`]+`)", line)
        lines[i] = "".join(
            f"`{part}`"
            if part.startswith("`")
            else re.sub(r"([*|]|_(?!\w)|(?<!\w)_)", r"\\\1", part)
            for part in parts
        )
        if raises:
            lines[i] = re.sub(r"^ {4}(\w+Error): ", r":raises \1: ", lines[i])


def setup(app):
    """Read docstrings as this project writes them."""
    app.connect("autodoc-process-docstring", read_docstring)
