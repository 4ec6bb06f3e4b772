"""Watch an exercise's file in the terminal, and check it each time it is saved.

Each check runs in a process of its own: whatever the learner's code does, the watch goes on.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

from workbench import progress
from workbench.exercises import hint
from workbench.exercises.catalogue import all_exercises
from workbench.exercises.model import Exercise

INTERVAL = 0.3  # seconds between two looks at the file
LONGEST = 120.0  # seconds for one check: more than all its points together may take
KEYS = "Save the file to check it again.  h Enter: a hint   n Enter: the next one   q Enter: quit"


def watch(folder: Path, first: Exercise | None = None) -> int:
    """Watch the first open exercise, or a given one, then the next; return the exit code.

    Without a terminal there is nobody to save a file: it ends after one check.
    """
    exercise = first or _next_open(None)
    if exercise is None:
        print("All exercises are solved.")
        return 0
    if not sys.stdin.isatty():
        return _check(exercise, folder)
    keys = _keys()
    try:
        while exercise is not None:
            exercise = _watch_one(exercise, folder, keys)
    except KeyboardInterrupt:
        print()
    return 0


def _watch_one(exercise: Exercise, folder: Path, keys: queue.Queue[str]) -> Exercise | None:
    """Check one exercise until the learner goes on; return the next one, None to quit."""
    path = folder / exercise.file
    seen = _state(path)
    _show(exercise, folder)
    while True:
        try:
            key = keys.get(timeout=INTERVAL)
        except queue.Empty:
            state = _state(path)
            # An editor may write a new file and rename it: for a moment there is none.
            if state != seen and state is not None:
                seen = state
                _show(exercise, folder)
            continue
        if key == "q":
            return None
        if key == "h":
            print(hint(exercise.name), flush=True)
        elif key == "n":
            following = _next_open(exercise)
            if following is not None:
                return following
            print("No other exercise is open.", flush=True)
        else:
            print(KEYS, flush=True)


def _show(exercise: Exercise, folder: Path) -> None:
    print(f"\n--- {exercise.name}: {folder.name}/{exercise.file}\n", flush=True)
    _check(exercise, folder)
    print(f"\n{KEYS}", flush=True)


def _check(exercise: Exercise, folder: Path) -> int:
    command = [sys.executable, "-m", "workbench.exercises", "check", exercise.name]
    command += ["--folder", str(folder), "--watched"]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, timeout=LONGEST).returncode
    except subprocess.TimeoutExpired:
        print(f"The check of {exercise.name} did not end and was stopped.", flush=True)
        return 1


def _next_open(after: Exercise | None) -> Exercise | None:
    """Return the next exercise that is not solved, from the one after ``after`` round to it."""
    exercises = all_exercises()
    start = exercises.index(after) + 1 if after in exercises else 0
    solved = progress.entries("exercise")
    in_turn = exercises[start:] + exercises[:start]
    return next((e for e in in_turn if not solved.get(e.name) and e != after), None)


def _state(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is saved; None while there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _keys() -> queue.Queue[str]:
    """Return a queue with the first letter of each line that is typed; its end reads as q."""
    typed: queue.Queue[str] = queue.Queue()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        # Not sys.stdin: a thread that waits in it holds a lock that Python's end would wait for.
        while data := os.read(descriptor, 1024):
            for line in data.decode(errors="replace").splitlines():
                typed.put(line.strip().lower()[:1])
        typed.put("q")

    threading.Thread(target=read, name="keys", daemon=True).start()
    return typed
