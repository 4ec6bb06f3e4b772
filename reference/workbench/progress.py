"""What a learner has done, remembered from one day to the next.

Each mark is one line appended to one file: nothing is ever rewritten, so two notebooks and a
terminal can mark at the same time and lose nothing, and a line that was torn by a crash costs that
line alone. The last mark for a key counts.

Checks and builds must not depend on what somebody answered: there nothing is read or written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from workbench.places import ROOT

IGNORING = ("HANDMADE_NO_PROGRESS", "CI", "PYTEST_CURRENT_TEST")

_unwritten: list[dict[str, Any]] = []  # marks of this process that no file would take


def path() -> Path:
    """Return the file: that of the environment variable HANDMADE_PROGRESS, or the course's own."""
    given = os.environ.get("HANDMADE_PROGRESS")
    return Path(given) if given else ROOT / ".progress.jsonl"


def ignored() -> bool:
    """True in checks and builds, unless HANDMADE_PROGRESS names a file for them."""
    if os.environ.get("HANDMADE_NO_PROGRESS"):
        return True
    return not os.environ.get("HANDMADE_PROGRESS") and any(map(os.environ.get, IGNORING))


def mark(kind: str, key: str, value: Any = True) -> None:
    """Remember that something was done; ``kind`` is "prediction" or "exercise", for example."""
    if ignored():
        return
    entry = {"kind": kind, "key": key, "value": value}
    # The first newline ends a line that a crash may have torn. One write, so lines never mix.
    line = f"\n{json.dumps(entry, ensure_ascii=False)}\n".encode()
    try:
        file = os.open(path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError:  # a folder that cannot be written, in some hubs: remember it for this session
        _unwritten.append(entry)
        return
    try:
        whole = os.write(file, line) == len(line)
    except OSError:
        whole = False
    finally:
        os.close(file)
    if not whole:  # the disk is full
        _unwritten.append(entry)


def entries(kind: str) -> dict[str, Any]:
    """Return the last value of each key of a kind."""
    return {entry["key"]: entry["value"] for entry in _all() if entry["kind"] == kind}


def done(kind: str, key: str) -> Any:
    """Return what was marked, None if nothing was."""
    return entries(kind).get(key)


def _all() -> list[dict[str, Any]]:
    if ignored():
        return []
    try:
        lines = path().read_text("utf-8", "replace").splitlines()
    except OSError:  # there is none yet, or it cannot be read
        lines = []
    return [entry for line in lines if (entry := _entry(line))] + _unwritten


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:  # empty, or torn
        return None
    whole = isinstance(entry, dict) and {"kind", "key", "value"} <= entry.keys()
    return entry if whole else None
