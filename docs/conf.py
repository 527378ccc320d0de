"""How Sphinx builds the site: `sphinx-build -W -n docs OUT`. Offline, from the Markdown that GitHub shows too."""

project = "harness"
author = "the harness developers"

extensions = ["myst_parser", "sphinx_external_toc"]
external_toc_path = "toc.yml"
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 3
suppress_warnings: list[str] = []
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = "harness"
html_static_path: list[str] = []
html_copy_source = False
html_show_sphinx = False
html_extra_path: list[str] = []
