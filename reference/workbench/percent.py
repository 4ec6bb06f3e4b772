"""Notebooks as plain text, to write them in an editor and to read their changes.

In comes text in the "percent" form, out goes a notebook, and the other way round.  A line that
starts with ``# %%`` begins a cell; what follows it belongs to the cell as it stands::

    # %% [markdown] slide=slide
    ## A socket that talks

    # %% tags=raises-exception,allow-sleep
    client.recv(100)

Text cells are not commented out.  ``tags`` and ``slide`` (reveal.js: slide, subslide, fragment,
notes, skip) are all that is known about a cell; outputs and ids are the business of ``stored``.
"""

from __future__ import annotations

import re

from nbformat import NotebookNode, v4

MARK = "# %%"
HEADER = re.compile(r"# %%(?: \[(?P<kind>markdown|code)\])?(?P<options>(?: (?:tags|slide)=\S+)*)")
IGNORED = "nbval-ignore-output"  # follows from `measured`, so nobody writes it


def from_text(text: str) -> NotebookNode:
    """Return the notebook that ``text`` spells, without outputs and ids.

    Raise ValueError, with the line's number, for a header that is not understood.
    """
    notebook: NotebookNode = v4.new_notebook()
    cell: NotebookNode | None = None
    lines: list[str] = []
    for number, line in enumerate([*text.splitlines(), MARK], 1):
        if not line.startswith(MARK):
            lines.append(line)
            continue
        source = "\n".join(lines).strip("\n")
        lines = []
        if cell is None and source.strip():
            raise ValueError(f"line {number}: the text before the first {MARK!r} is in no cell")
        if cell is not None and source.strip():
            del cell["id"]  # nbformat draws it at random
            cell.source = source.rstrip()
            notebook.cells.append(cell)
        cell = _cell(line.rstrip(), number)
    return notebook


def to_text(notebook: NotebookNode) -> str:
    """Return the cells of ``notebook`` as text that ``from_text`` reads back.

    Raise ValueError for a cell with a line that would be taken for the head of another.
    """
    parts = []
    for number, cell in enumerate(notebook.cells, 1):
        if re.search(rf"^{MARK}", cell.source, re.MULTILINE):
            raise ValueError(f"cell {number} has a line that starts with {MARK!r}")
        parts.append(f"{_header(cell)}\n{cell.source}\n")
    return "\n".join(parts)


def _cell(line: str, number: int) -> NotebookNode:
    header = HEADER.fullmatch(line)
    if header is None:
        raise ValueError(f"line {number}: a cell starts with '# %% [code] tags=a,b', not {line!r}")
    cell: NotebookNode
    cell = v4.new_markdown_cell() if header["kind"] == "markdown" else v4.new_code_cell()
    for option in header["options"].split():
        name, value = option.split("=", 1)
        if name == "tags":
            cell.metadata.tags = value.split(",")
        else:
            cell.metadata.slideshow = NotebookNode(slide_type=value)
    return cell


def _header(cell: NotebookNode) -> str:
    header = MARK if cell.cell_type == "code" else f"{MARK} [{cell.cell_type}]"
    tags = [tag for tag in cell.metadata.get("tags", []) if tag != IGNORED]
    if tags:
        header += f" tags={','.join(tags)}"
    slide = cell.metadata.get("slideshow", {}).get("slide_type")
    return f"{header} slide={slide}" if slide else header
