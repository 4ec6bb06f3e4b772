"""Say where in the learner's code something happened, without a path of this machine.

A frame or an exception comes in, a short text goes out: "line 3 of the cell, in serve: ...". What
lies inside Python's library, inside an installed package or inside the workbench is passed over:
the reader can change nothing there.
"""

from __future__ import annotations

import linecache
import sys
import sysconfig
import traceback
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
_OURS = (str(Path(__file__).parent), str(ROOT / "reference" / "handmade"))


def file_name(path: str) -> str:
    """Return a file's name as a reader knows it: ``the cell``, or relative to the course."""
    if "ipykernel_" in path or path.startswith("<ipython-input"):
        return "the cell"
    if path.startswith(_LIBRARIES):
        return "lib/" + Path(path).name
    return Path(path).relative_to(ROOT).as_posix() if path.startswith(str(ROOT)) else path


def is_the_learners(path: str) -> bool:
    """True for a cell and for a file that is neither a library's nor the course's machinery."""
    return not path.startswith((*_LIBRARIES, *_OURS, "<frozen")) and path != "<string>"


def is_ours(path: str) -> bool:
    """True for a file of the course's own machinery."""
    return path.startswith(_OURS)


def place(frame: FrameType | None) -> str:
    """Name the innermost line of the learner's own among the callers of ``frame``; "" for none."""
    while frame is not None:
        code = frame.f_code
        if is_the_learners(code.co_filename):
            where = "" if code.co_name.startswith("<") else f", in {code.co_name}"
            line = linecache.getline(code.co_filename, frame.f_lineno).strip()
            name = file_name(code.co_filename)
            return f"line {frame.f_lineno} of {name}{where}: {line}".removesuffix(": ")
        frame = frame.f_back
    return ""


def place_of_thread(ident: int | None) -> str:
    """Name the line that a thread is at, as ``place`` does."""
    return place(sys._current_frames().get(ident or -1))


def last_line(error: BaseException) -> str:
    """Return the last line of a traceback, which says what was wrong."""
    return traceback.format_exception_only(error)[-1].strip()


def traceback_text(error: BaseException) -> str:
    """Return a traceback with the learner's lines alone, and with file names as readers know them.

    The reference's own lines are left out, for their numbers change with every edit.
    """
    summary = traceback.TracebackException.from_exception(error)
    seen: traceback.TracebackException | None = summary
    while seen is not None:
        kept = [frame for frame in seen.stack if is_the_learners(frame.filename)]
        seen.stack = traceback.StackSummary.from_list(
            [(file_name(f.filename), f.lineno or 0, f.name, f.line) for f in kept]
        )
        seen = seen.__cause__ or seen.__context__
    return "".join(summary.format()).rstrip()
