"""What of a notebook is stored, and when a new output replaces the stored one.

A notebook that is run again must not change where nothing has changed, or every commit would
carry noise.  So what differs from run to run and from machine to machine is left out
(``normalise``), and an output that says the same as before is kept as it was, bytes and all
(``keep``).  *The same* means what it means to nbval: equal after the substitutions in
``tests/nbval_sanitize.cfg``.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path

from nbformat import NotebookNode

from workbench.percent import IGNORED

PORTABLE = ("text/plain", "text/html", "text/markdown", "image/svg+xml", "image/png")
"""What every viewer shows, and shows without trusting the notebook; the rest is not stored."""

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ANSI = re.compile(r"(\x1b\[[\d;]*m)")
LIBRARY = re.compile(r"[~\w./\\:-]*[/\\](?:lib[/\\]python[\d.]+|Lib)[/\\](?:site-packages[/\\])?")
KERNEL_FILE = re.compile(r"\S*ipykernel_\d+[/\\]\d+\.py")

Substitutions = list[tuple[re.Pattern[str], str]]


def normalise(notebook: NotebookNode, root: Path) -> NotebookNode:
    """Return a copy without anything that depends on the run or on the machine.

    ``root`` is the folder of the course: paths in tracebacks are given relative to it.
    """
    notebook = copy.deepcopy(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = NotebookNode(copy.deepcopy(METADATA))
    _give_ids(notebook.cells)
    count = 0
    for cell in notebook.cells:
        known = {key: cell.metadata[key] for key in ("slideshow", "tags") if key in cell.metadata}
        if "measured" in known.get("tags", []) and IGNORED not in known["tags"]:
            known["tags"] = [*known["tags"], IGNORED]
        cell.metadata = NotebookNode(known)
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            cell.execution_count = count = count + 1
        cell.outputs = [_portable(output, count, root) for output in _joined(cell.outputs)]
    return notebook


def adopt(new: NotebookNode, old: NotebookNode) -> None:
    """Give each cell of ``new`` the id of its forerunner in ``old``, and its outputs if unchanged.

    A cell with the same source is the same cell, wherever it has moved to; a changed cell that
    stands between the same neighbours keeps its id, not its outputs.
    """
    before = [(cell.cell_type, cell.source) for cell in old.cells]
    after = [(cell.cell_type, cell.source) for cell in new.cells]
    unclaimed = dict(enumerate(before))
    for place, key in enumerate(after):
        same = next((index for index, other in unclaimed.items() if other == key), None)
        if same is not None:
            del unclaimed[same]
            new.cells[place].id = old.cells[same].id
            if key[0] == "code":
                new.cells[place].outputs = old.cells[same].outputs
                new.cells[place].execution_count = old.cells[same].execution_count
        else:
            new.cells[place].pop("id", None)
    for kind, i, i_end, j, j_end in SequenceMatcher(None, before, after, False).get_opcodes():
        if kind == "replace" and i_end - i == j_end - j:
            for index, place in zip(range(i, i_end), range(j, j_end), strict=True):
                if index in unclaimed and "id" not in new.cells[place]:
                    new.cells[place].id = old.cells[index].id


def keep(new: NotebookNode, old: NotebookNode, substitutions: Substitutions) -> None:
    """Put the outputs of ``old`` back into ``new`` where they say the same, or were measured.

    Both are normalised and have the same cells.  A cell tagged ``measured`` keeps its numbers and
    its picture for as long as its source stays the same; a run on another day has others.
    """
    for fresh, stored in zip(new.cells, old.cells, strict=True):
        if fresh.cell_type != "code" or stored.execution_count is None:
            continue
        measured = "measured" in fresh.metadata.get("tags", []) and stored.outputs
        if measured or _said(fresh.outputs, substitutions) == _said(stored.outputs, substitutions):
            fresh.outputs = stored.outputs
            for output in fresh.outputs:
                if "execution_count" in output:  # a cell above may be new
                    output.execution_count = fresh.execution_count


def substitutions(path: Path) -> Substitutions:
    """Read the pairs of ``regex`` and ``replace`` from nbval's sanitising file."""
    pairs = re.findall(r"^regex: (.*)\nreplace: (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return [(re.compile(pattern), replacement) for pattern, replacement in pairs]


def _give_ids(cells: list[NotebookNode]) -> None:
    """Leave each id that is valid and unique, and derive the others from the cell's source.

    So an insertion changes no other cell's id, and the same text gives the same ids anywhere.
    """
    taken: set[str] = set()
    for cell in cells:
        if not re.fullmatch(r"[\w-]{1,64}", cell.get("id", ""), re.ASCII) or cell.id in taken:
            digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
            cell.id = digest
            copies = 1
            while cell.id in taken:
                copies += 1
                cell.id = f"{digest}-{copies}"
        taken.add(cell.id)


def _joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Join the pieces of one stream: how a kernel cuts its prints is chance."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if output.output_type == "stream" and last is not None and last.get("name") == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _portable(output: NotebookNode, count: int, root: Path) -> NotebookNode:
    if output.output_type == "error":
        output.traceback = [_without_places(line, root) for line in output.traceback]
    if output.output_type == "execute_result":
        output.execution_count = count
    if "data" in output:
        output.data = NotebookNode(
            {kind: output.data[kind] for kind in PORTABLE if kind in output.data}
        )
        output.metadata = NotebookNode(
            {
                kind: value
                for kind, value in output.metadata.items()
                if kind in output.data and value
            }
        )
    return output


def _without_places(line: str, root: Path) -> str:
    """Return a traceback's line with paths relative to the course and to Python's library."""
    home = str(Path.home())
    pieces = ANSI.split(line)  # the odd ones are the colours
    for number in range(0, len(pieces), 2):
        text = pieces[number].replace(f"{root}{os.sep}", "")
        if str(root).startswith(home):
            text = text.replace(f"~{str(root).removeprefix(home)}{os.sep}", "")
        pieces[number] = LIBRARY.sub("lib/", KERNEL_FILE.sub("cell", text))
    return "".join(pieces)


def _said(outputs: list[NotebookNode], substitutions: Substitutions) -> object:
    """Return what the outputs say: all but the pixels, after the substitutions."""

    def clean(text: object) -> object:
        if not isinstance(text, str):
            return text
        text = ANSI.sub("", text)
        for pattern, replacement in substitutions:
            text = pattern.sub(replacement, text)
        return text

    return [
        {
            **{
                key: clean(output[key])
                for key in ("output_type", "name", "text", "ename", "evalue")
                if key in output
            },
            "traceback": [clean(line) for line in output.get("traceback", [])],
            "data": {
                kind: kind == "image/png" or clean(value)
                for kind, value in output.get("data", {}).items()
            },
            "metadata": output.get("metadata", {}),
        }
        for output in outputs
    ]
