"""Run the notebooks and store them as they are to be read: ``python -m workbench.build``.

Each notebook runs from top to bottom in a fresh kernel, in its own folder.  A cell may fail only
where it is tagged ``raises-exception``, and there it must.  What is stored, and which outputs stay
as they were, is told in ``stored``; the text form in which authors write is told in ``percent``.
"""

from __future__ import annotations

import argparse
import copy
import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellControlSignal,
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbformat import NotebookNode
from traitlets.config import Config

from workbench.percent import from_text, to_text
from workbench.stored import adopt, keep, normalise, substitutions

__all__ = ["BuildError", "execute", "from_text", "import_text", "main", "rebuild", "to_text"]

ROOT = Path(__file__).resolve().parents[2]
SANITIZER = ROOT / "tests" / "nbval_sanitize.cfg"
SECONDS_PER_CELL = 60


class BuildError(Exception):
    """A notebook that cannot be built, and why, in words for its author."""


def rebuild(notebook: NotebookNode, folder: Path, fresh: bool = False) -> NotebookNode:
    """Run ``notebook`` in ``folder`` and return it as it is to be stored.

    ``fresh``: take every new output, also where the old one says the same or was measured.
    Raise BuildError when a cell fails that may not, or succeeds that may not.
    """
    before = normalise(notebook, ROOT)
    after = normalise(execute(before, folder), ROOT)
    if not fresh:
        keep(after, before, substitutions(SANITIZER))
    return normalise(after, ROOT)  # an output that was kept has the number of its old place


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Return a copy of ``notebook`` with the outputs of a fresh kernel, started in ``folder``."""
    notebook = copy.deepcopy(notebook)
    try:
        try:
            _run(notebook, folder)
        except RuntimeError as error:
            # Jupyter finds five free ports, lets them go, and tells them to the kernel: somebody
            # may have got one of them meanwhile, and then the kernel ends before its first word.
            if not str(error).startswith("Kernel died before replying"):
                raise
            _run(notebook, folder)
    except CellTimeoutError as error:
        raise BuildError(f"a cell ran for more than {SECONDS_PER_CELL} s\n{error}") from error
    except (CellExecutionError, CellControlSignal, DeadKernelError) as error:
        raise BuildError(str(error)) from error
    for number, cell in enumerate(notebook.cells, 1):
        failed = any(output.output_type == "error" for output in cell.get("outputs", []))
        if "raises-exception" in cell.metadata.get("tags", []) and not failed:
            raise BuildError(f"cell {number} is tagged raises-exception and raises nothing")
        if cell.cell_type == "code" and cell.execution_count is None:
            cell.execution_count = number  # an empty cell: the kernel does not count it
    return notebook


def _run(notebook: NotebookNode, folder: Path) -> None:
    """Run a notebook in a kernel of its own; what is stored is what a new learner sees."""
    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        # Without it each kernel of ipykernel 7.4 warns that its TCP is not encrypted.
        config=Config(KernelManager={"transport_encryption": "auto"}),
    )
    client.execute(env={**os.environ, "HANDMADE_NO_PROGRESS": "1"})


def import_text(draft: Path, target: Path) -> NotebookNode:
    """Return the notebook that ``draft`` spells, with ids and outputs from an older ``target``."""
    try:
        notebook = from_text(draft.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BuildError(str(error)) from error
    _lay_out(notebook)
    if target.exists():
        adopt(notebook, _read(target))
    return normalise(notebook, ROOT)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _options(arguments)
    try:
        if options.export:
            print(to_text(_read(options.export)), end="")
            return 0
        if options.imported:
            draft, target = map(Path, options.imported)
            notebook = import_text(draft, target)
            if not options.no_run:
                notebook = rebuild(notebook, target.resolve().parent, options.fresh)
            _write(notebook, target)
            print(f"{target.name}: {len(notebook.cells)} cells from {draft.name}")
            return 0
        paths = _find(options.names)
    except (BuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return max([_build(path, options.check, options.fresh) for path in paths], default=0)


def _build(path: Path, check: bool, fresh: bool) -> int:
    """Rebuild one notebook, say what became of it, and return 1 for failure or a wanted change."""
    try:
        after = rebuild(_read(path), path.resolve().parent, fresh)
    except BuildError as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return 1
    if _dump(after) == path.read_text(encoding="utf-8"):
        print(f"{path.name}: unchanged")
        return 0
    places = _differences(_read(path), after)
    if check:
        print(f"{path.name}: would change {places}")
        return 1
    _write(after, path)
    print(f"{path.name}: changed {places}")
    return 0


def _differences(before: NotebookNode, after: NotebookNode) -> str:
    pairs = zip(before.cells, after.cells, strict=True)
    numbers = [str(number) for number, (old, new) in enumerate(pairs, 1) if old != new]
    return f"in cells {', '.join(numbers)}" if numbers else "in form only"


def _find(names: list[str]) -> list[Path]:
    """Return the notebooks that are named by path or by the start of the file's name, or all."""
    folder = ROOT / "notebooks"
    found: list[Path] = []
    for name in names or [""]:
        path = Path(name)
        matches = [path] if path.is_file() else sorted(folder.glob(f"{name}*.ipynb"))
        if not matches:
            raise BuildError(f"no notebook {name or 'in ' + folder.name}")
        found += matches
    return found


def _lay_out(notebook: NotebookNode) -> None:
    """Lay out the code with ruff, by the rules in pyproject.toml."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "notebooks/new.ipynb"]
    done = subprocess.run(
        [*command, "-"],
        input=_dump(normalise(notebook, ROOT)),
        capture_output=True,
        cwd=ROOT,
        encoding="utf-8",
    )
    if done.returncode:
        raise BuildError(done.stderr.strip())
    for cell, new in zip(notebook.cells, nbformat.reads(done.stdout, 4).cells, strict=True):
        cell.source = new.source


def _read(path: Path) -> NotebookNode:
    if not path.is_file():
        raise BuildError(f"no file {path}")
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    return notebook


def _dump(notebook: NotebookNode) -> str:
    text: str = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
    return text + "\n"


def _write(notebook: NotebookNode, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_dump(notebook))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="learn.py build", description="Run and store notebooks.")
    parser.add_argument("names", nargs="*", help="paths, or how the file names start; default: all")
    parser.add_argument("--check", action="store_true", help="change nothing, fail if it would")
    parser.add_argument("--fresh", action="store_true", help="take all new outputs, measured too")
    parser.add_argument(
        "--import",
        dest="imported",
        nargs=2,
        metavar=("TEXT", "NOTEBOOK"),
        help="make the notebook from its text form, keeping what is unchanged, and run it",
    )
    parser.add_argument("--no-run", action="store_true", help="with --import: do not run it")
    parser.add_argument("--export", type=Path, metavar="NOTEBOOK", help="print its text form")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
