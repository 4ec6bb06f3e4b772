"""Every draft in a notebook fails the case that it names, and for that reason alone it is there.

A draft cell begins with ``# draft: contract/case name`` and defines one function or class, its last
definition.  The cell's subject is handed to the case, together with what the cells above it have
defined; the case must find it broken.  A draft that passes has nothing to teach.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from workbench import contracts
from workbench.contracts.adapters import adapt

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb"))
MARK = re.compile(r"# draft: (?P<contract>\w+)/(?P<case>.+)")
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def code_cells(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def drafts():
    for path in NOTEBOOKS:
        for index, source in enumerate(code_cells(path)):
            if match := MARK.match(source):
                name = f"{path.stem}:{match['contract']}/{match['case']}"
                yield pytest.param(path, index, match, id=name)


def is_definition(node):
    """True for what can be run again without side effects: imports, definitions, constants."""
    if isinstance(node, DEFINITIONS):
        return True
    if not isinstance(node, ast.Assign):
        return False
    return not any(isinstance(part, ast.Call | ast.Await) for part in ast.walk(node.value))


def defined_up_to(path, index):
    """Return what the cell at ``index`` defines last, with the definitions above it at hand."""
    namespace = {"__name__": "notebook"}
    for source in code_cells(path)[: index + 1]:
        kept = [node for node in ast.parse(source).body if is_definition(node)]
        for node in kept:
            try:
                exec(compile(ast.Module([node], []), path.name, "exec"), namespace)
            except NameError:
                # It used what only a probe had made: a value, or a decorator.
                assert not isinstance(node, ast.Import | ast.ImportFrom)
    subject = [node.name for node in kept if isinstance(node, DEFINITIONS[2:])][-1]
    return namespace[subject]


@pytest.mark.parametrize(("path", "index", "match"), list(drafts()))
def test_a_draft_fails_the_case_that_it_names(path, index, match):
    case = contracts.find(match["contract"], match["case"].strip())
    subject = adapt(match["contract"], defined_up_to(path, index))
    with pytest.raises(Exception) as caught:
        case.run(subject)
    assert not isinstance(caught.value, NameError | ImportError), caught.value
