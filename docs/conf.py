"""Sphinx: the documentation's site. `make docs` builds it into docs/_build/html."""

from mixlaws import __version__

project = "mixlaws"
author = "The mixlaws authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]

# Links such as method.md#intervals work on GitHub and on the site.
myst_heading_anchors = 4

# The public modules are documented by their docstrings, in the order of the source.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": False}
add_module_names = False

html_theme = "furo"
html_title = f"mixlaws {release}"
html_show_sourcelink = False
# No fonts and scripts from elsewhere: the site works without a network.
html_theme_options = {"navigation_with_keys": True}
