"""The rules of a notebook, as far as a program can tell.

Each rule is a function that yields what it finds wrong.  They are tolerant about wording and strict
about size: a notebook that passes may still be dull, one that fails is too long for its reader.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from workbench.build import from_text
from workbench.stored import METADATA, normalise

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

MOST_CELLS = 60
CODE_LINES = 12
CLASS_LINES = 25  # a finished class, in a cell that starts with `# ref:`
TEXT_WORDS = 90
RECALL_QUESTIONS = 5
WITHOUT_EXERCISES = "00"  # the first notebook tells how exercises work

Rule = Callable[[NotebookNode, str], Iterator[str]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


# ------------------------------------------------------------------ reading a notebook


def code_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    return [(n, cell) for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]


def text_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    return [(n, cell) for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "markdown"]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def parsed(source: str) -> ast.Module:
    """Return the tree of a cell; an empty one where it is a magic or is not meant to be Python."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def code_lines(source: str) -> int:
    """Count the lines that are neither blank nor a comment nor a docstring."""
    prose = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                prose.update(range(first.lineno, first.end_lineno + 1))
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and number not in prose
        for number, line in enumerate(source.splitlines(), 1)
    )


def words(source: str) -> int:
    """Count the words that are read as prose: no code block, table, picture or link target."""
    text = re.sub(r"^(```|~~~).*?^\1", "", source, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->|<[^>]+>", " ", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^]]*\]\([^)]*\)", " ", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("|")]
    return sum(bool(re.search(r"\w", word)) for word in " ".join(lines).split())


def printed(cell: NotebookNode) -> str:
    """Return everything that a reader sees as the output of a cell, as text."""
    parts = []
    for output in cell.outputs:
        parts += [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
        parts += [text for kind, text in output.get("data", {}).items() if kind != "image/png"]
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(parts))


def section(notebook: NotebookNode, title: str) -> str | None:
    """Return the source of all cells under the last heading with ``title`` in it, or None."""
    found, inside = None, False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            found = f"{found}\n{cell.source}" if inside else found
            continue
        for line in cell.source.splitlines():
            if re.match(r"#{1,6} ", line):
                inside = title.lower() in line.lower()
                found = "" if inside else found
            elif inside:
                found = f"{found}\n{line}"
    return found


# ------------------------------------------------------------------ the rules


@rule
def is_read_in_an_hour(notebook, name):
    if len(notebook.cells) > MOST_CELLS:
        yield f"{len(notebook.cells)} cells, {MOST_CELLS} at most"


@rule
def code_holds_one_idea(notebook, name):
    for number, cell in code_cells(notebook):
        whole = cell.source.startswith("# ref:") and re.search(r"^class ", cell.source, re.M)
        most = CLASS_LINES if whole else CODE_LINES
        if code_lines(cell.source) > most:
            yield f"cell {number}: {code_lines(cell.source)} lines of code, {most} at most"


@rule
def text_is_short(notebook, name):
    for number, cell in text_cells(notebook):
        if words(cell.source) > TEXT_WORDS:
            yield f"cell {number}: {words(cell.source)} words, {TEXT_WORDS} at most"


@rule
def opens_with_question_map_and_effort(notebook, name):
    cell = notebook.cells[0]
    if cell.cell_type != "markdown":
        yield "cell 1: not a text"
        return
    if not re.search(r"^# ", cell.source, re.M):
        yield "cell 1: no title"
    if "?" not in cell.source:
        yield "cell 1: no question"
    if not re.search(r"```|^\||!\[|<img|▶|→|──", cell.source, re.M):
        yield "cell 1: no map"
    if not re.search(r"\beffort\b", cell.source, re.I):
        yield "cell 1: no effort"


@rule
def was_run_and_stored_by_the_builder(notebook, name):
    for number, cell in code_cells(notebook):
        if cell.execution_count is None:
            yield f"cell {number}: not run, so nothing compares its output"
    if notebook.metadata != METADATA:
        yield f"metadata beyond the minimum: {sorted(set(notebook.metadata) - set(METADATA))}"
    if normalise(notebook, ROOT) != notebook:
        yield "not in the form that `learn.py build` stores"


@rule
def waits_as_a_notebook_must(notebook, name):
    for number, cell in code_cells(notebook):
        if "asyncio.run(" in cell.source:
            yield f"cell {number}: asyncio.run, where a notebook awaits"
        if "time.sleep(" in cell.source:
            if "allow-sleep" not in tags(cell):
                yield f"cell {number}: time.sleep without the tag allow-sleep"
            elif "#" not in cell.source:
                yield f"cell {number}: time.sleep without a comment that says why"


@rule
def hides_no_failure(notebook, name):
    for number, cell in code_cells(notebook):
        if cell.source.startswith("# ref:"):  # the reference logs what it catches, and shows it so
            continue
        for node in ast.walk(parsed(cell.source)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = ast.unparse(node.type) if node.type else "everything"
            if caught in ("everything", "Exception", "BaseException"):
                yield f"cell {number}: except catches {caught}"
            elif all(isinstance(line, ast.Pass) or is_dots(line) for line in node.body):
                yield f"cell {number}: {caught} is caught and forgotten"


def is_dots(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and ast.unparse(line) == "..."


@rule
def shows_failures_where_it_says_so(notebook, name):
    for number, cell in code_cells(notebook):
        failed = any(output.output_type == "error" for output in cell.outputs)
        if failed and "raises-exception" not in tags(cell):
            yield f"cell {number}: an error, and no tag raises-exception"
        if not failed and "raises-exception" in tags(cell):
            yield f"cell {number}: tagged raises-exception, and no error"


PRIVATE = {
    "a path of this machine": r"(?<![\w.~])/(?:work|root|home|tmp|Users|var/folders)/[\w.]+/?\w*",
    "a Windows path": r"\b[A-Z]:\\\w+",
    "a port that the system chose": r"\b(?:127\.0\.0\.1|localhost|\[::1\])['\"]?(?::|, )\d{5}\b",
    "an address in memory": r"\bat 0x[0-9a-fA-F]{6,}",
}


@rule
def outputs_are_of_no_machine(notebook, name):
    for number, cell in code_cells(notebook):
        for what, pattern in PRIVATE.items():
            match = re.search(pattern, printed(cell))
            if match:
                yield f"cell {number}: {what}, {match[0]!r}"


@rule
def pictures_are_told(notebook, name):
    for number, cell in text_cells(notebook):
        without = re.search(r"!\[\s*\]\(|<img(?![^>]*\balt=[\"'][^\"'])[^>]*>", cell.source)
        if without:
            yield f"cell {number}: {without[0]!r} has no alt text"
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            picture = output.get("metadata", {}).get("image/png", {})
            if "image/png" in output.get("data", {}) and not picture.get("alt"):
                yield f"cell {number}: a picture without alt text"


@rule
def closes_with_recap_recall_and_exercises(notebook, name):
    if name.startswith(WITHOUT_EXERCISES):
        return
    recap, recall, exercises = (section(notebook, s) for s in ("recap", "recall", "exercises"))
    if recap is None:
        yield "no heading Recap"
    if recall is None:
        yield "no heading Recall"
    elif recall.count("?") < RECALL_QUESTIONS:
        yield f"{recall.count('?')} recall questions, {RECALL_QUESTIONS} wanted"
    if exercises is None:
        yield "no heading Exercises"
        return
    efforts = re.findall("★+", exercises)
    if "★" not in efforts or not {"★★", "★★★"} & set(efforts):
        yield f"exercises of effort {efforts}: one of ★ and one harder are wanted"
    last = "\n".join(cell.source for cell in notebook.cells[-15:])
    if not re.search(r"\]\((?:\.\./)?reference/|\bshow\(", last):
        yield "no link to the reference at the end"


@pytest.mark.parametrize("check", RULES, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, check):
    notebook = nbformat.read(path, as_version=4)
    assert list(check(notebook, path.stem)) == []


# ------------------------------------------------------------------ the rules checked

GOOD = """\
# %% [markdown]
# 01 A socket that talks

What is a server before it is a framework? **Effort:** 40 minutes.

    socket ──bytes──▶ engine

# %%
1 + 1

# %% tags=raises-exception
[].pop()

# %%
picture

# %% [markdown]
## Recap
All of it.

# %% [markdown]
## Recall
1. What? 2. Why? 3. When? 4. Who? 5. Which?

# %% [markdown]
## Exercises
- ★ an easy one
- ★★★ a hard one

Compare with [the reference](../reference/handmade/http1.py).
"""


def good() -> NotebookNode:
    notebook = from_text(GOOD)
    cells = [cell for _, cell in code_cells(notebook)]
    for number, cell in enumerate(cells, 1):
        cell.execution_count = number
    cells[0].outputs = [nbformat.v4.new_output("stream", text="2\n")]
    cells[1].outputs = [nbformat.v4.new_output("error", ename="IndexError", evalue="pop")]
    cells[2].outputs = [
        nbformat.v4.new_output(
            "display_data",
            {"image/png": "aGk=", "text/plain": "▶"},
            metadata={"image/png": {"alt": "an arrow"}},
        )
    ]
    return normalise(notebook, ROOT)


def broken(change: Callable[[list[NotebookNode]], object]) -> list[str]:
    """Return the names of the rules that the good notebook breaks after ``change`` of its cells."""
    notebook = copy.deepcopy(good())
    change(notebook.cells)
    return [check.__name__ for check in RULES if list(check(notebook, "01-a-socket"))]


def source(index: int, text: str) -> Callable[[list[NotebookNode]], object]:
    return lambda cells: cells[index].update(source=text)


def printing(text: str) -> Callable[[list[NotebookNode]], object]:
    return lambda cells: cells[1].outputs[0].update(text=text)


def test_a_good_notebook_breaks_no_rule():
    assert broken(lambda cells: None) == []


LINES = "\n".join(f"x = {number}" for number in range(13))
EASY = "## Exercises\n★ ★ [the reference](../reference/handmade/http1.py)"
ELEVEN = "\n".join(f"    x = {number}" for number in range(11))
CLASS = "class A:\n" + "\n".join(f"    x{number} = 1" for number in range(24))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda cells: cells.extend([cells[3]] * 60), "is_read_in_an_hour"),
        (source(1, LINES), "code_holds_one_idea"),
        (source(1, CLASS), "code_holds_one_idea"),
        (source(1, f"# ref: http1.A\n{CLASS}\n    y = 1"), "code_holds_one_idea"),
        (source(4, "## Recap\n" + "word " * 91), "text_is_short"),
        (source(0, GOOD.replace("?", ".")), "opens_with_question_map_and_effort"),
        (source(0, "# Title\nWhat? Effort: 1 h"), "opens_with_question_map_and_effort"),
        (source(0, "# Title\nWhat? a → b"), "opens_with_question_map_and_effort"),
        (lambda cells: cells[1].update(execution_count=None), "was_run_and_stored_by_the_builder"),
        (lambda cells: cells[1].metadata.update(x=1), "was_run_and_stored_by_the_builder"),
        (lambda cells: cells[1].update(id="!"), "was_run_and_stored_by_the_builder"),
        (source(1, "asyncio.run(main())"), "waits_as_a_notebook_must"),
        (source(1, "time.sleep(1)"), "waits_as_a_notebook_must"),
        (source(1, "try:\n    f()\nexcept:\n    g()"), "hides_no_failure"),
        (source(1, "try:\n    f()\nexcept Exception:\n    g()"), "hides_no_failure"),
        (source(1, "try:\n    f()\nexcept OSError:\n    pass"), "hides_no_failure"),
        (lambda cells: cells[2].update(metadata={}), "shows_failures_where_it_says_so"),
        (lambda cells: cells[2].update(outputs=[]), "shows_failures_where_it_says_so"),
        (printing("in /Users/me/course"), "outputs_are_of_no_machine"),
        (printing(r"in C:\Users"), "outputs_are_of_no_machine"),
        (printing("http://127.0.0.1:40211/"), "outputs_are_of_no_machine"),
        (printing("('127.0.0.1', 40211)"), "outputs_are_of_no_machine"),
        (printing("<object at 0x7f6036a6f390>"), "outputs_are_of_no_machine"),
        (lambda cells: cells[3].outputs[0].update(metadata={}), "pictures_are_told"),
        (source(4, "## Recap\n![](a.png)"), "pictures_are_told"),
        (source(4, '## Recap\n<img src="a.png" alt="">'), "pictures_are_told"),
        (source(4, "All of it"), "closes_with_recap_recall_and_exercises"),
        (source(5, "## Recall\nWhat? Why?"), "closes_with_recap_recall_and_exercises"),
        (source(6, EASY), "closes_with_recap_recall_and_exercises"),
        (source(6, "## Exercises\n★ ★★"), "closes_with_recap_recall_and_exercises"),
    ],
)  # fmt: skip
def test_a_breach_is_seen(change, name):
    assert name in broken(change)


@pytest.mark.parametrize(
    "change",
    [
        source(1, f"# ref: http1.A\n{CLASS}"),
        source(1, LINES.replace("x = 0", "# a comment")),
        source(1, 'def f():\n    """One.\n\n    Two."""\n' + ELEVEN),
        source(4, "## Recap\n```\n" + "word " * 200 + "\n```\n| a | b |\n![alt](a.png)"),
        source(1, "try:\n    f()\nexcept OSError as error:\n    print(error)"),
        printing("GET /home HTTP/1.1\nHost: localhost:8000\n0x7f6036a6f390"),
    ],
)
def test_what_is_allowed_is_not_a_breach(change):
    assert broken(change) == []
