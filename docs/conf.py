"""How Sphinx builds the manual: `make docs`, warnings are errors."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "txsocketio"
author = "The txsocketio authors"
project_copyright = "2026, The txsocketio authors"
version = release = installed_version("txsocketio")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "options", "shown_by"]
exclude_patterns = ["_build", "howto/broker-figures.rst"]  # that one is included by another page
default_role = "code"
html_theme = "furo"
html_title = "txsocketio"

autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
