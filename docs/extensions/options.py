"""The directive `options`: the reference of an options class, made from its fields and what their metadata says.

    .. options:: txsocketio.engineio.options.EngineOptions

Each field becomes a `confval`, so that other pages can refer to it by :confval:`ping_interval`.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from importlib import import_module
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FIELD = """
.. confval:: {name}
   :type: ``{type}``
   :default: ``{default}``{index}

   {doc}
"""


class Options(SphinxDirective):
    """The fields that a dataclass declares itself: its bases have a place of their own.

    `:without:` leaves one out; `:no-index:` is for names that several such classes have, which cannot be referred to.
    """

    required_arguments = 1
    option_spec: ClassVar = {"without": str, "no-index": directives.flag}

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        options = getattr(import_module(module), name)
        own = vars(options)["__annotations__"].keys() - {self.options.get("without")}
        self.env.note_dependency(str(import_module(module).__file__))
        index = "\n   :no-index:" if "no-index" in self.options else ""
        return self.parse_text_to_nodes("".join(described(each, index) for each in fields(options) if each.name in own))


def described(field: Field[Any], index: str) -> str:
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    doc = field.metadata["doc"]
    return FIELD.format(name=field.name, type=field.type, default=repr(default), index=index, doc=doc)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("options", Options)
    return {"parallel_read_safe": True}
