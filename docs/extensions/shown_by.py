"""The role `test`: the name of a test, linked to the file that it is in.

    :test:`socketio/test_rooms.py::test_nothing_is_kept_of_who_is_gone`

The path is below `tests/`. The link is a download, so that it works wherever the manual is read.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole


class ShownBy(SphinxRole):
    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        path, _, name = self.text.partition("::")
        words = name.removeprefix("test_").replace("_", " ")
        reference = download_reference("", words, reftarget=f"/../tests/{path}", refdoc=self.env.docname)
        return [reference], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_role("test", ShownBy())
    return {"parallel_read_safe": True}
