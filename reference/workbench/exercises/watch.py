"""Watch an exercise's file in the terminal, check it each time it is saved, and go on to the next.

Each check runs in a process of its own: whatever the learner's code does, the watch goes on. All
that matters is in the progress before it is on the screen, so the watch can be ended at any moment.
"""

from __future__ import annotations

import shutil
import textwrap
import time
from pathlib import Path

from workbench import progress
from workbench.exercises import answer, apart, hint, memory, standing
from workbench.exercises.catalogue import all_exercises
from workbench.exercises.keyboard import END, ENTER, Keyboard
from workbench.exercises.model import Exercise
from workbench.exercises.report import WIDTH, Note, report

LOOK = 0.1  # seconds between two looks at the file, and the keys
SETTLED = 0.15  # seconds without a change after which a file counts as saved: editors write twice
GONE = 2.0  # seconds after which a file that is away is missed: editors write a new one and rename
KEYS = "[h]int [s]olution [n]ext [p]rogress [r]echeck [q]uit"
ASK = "press h"

State = tuple[int, int, int]


def watch(folder: Path, first: Exercise | None = None) -> int:
    """Watch a given exercise, or where the last watch was, or the first open one, then the next.

    Return the exit code. Where nobody types, standard input being at its end, it ends after one
    check, with 1 if that has failed.
    """
    exercise = first or _resumed() or _next_open(None)
    if exercise is None:
        print("All exercises are solved.")
        return 0
    try:
        with Keyboard() as keyboard:
            return _Watch(folder, keyboard, exercise).run()
    except KeyboardInterrupt:
        print()
        return 0


class _Watch:
    """One watch: the exercise that it looks at, its file, and the check that runs."""

    def __init__(self, folder: Path, keyboard: Keyboard, exercise: Exercise) -> None:
        self._folder = folder
        self._keyboard = keyboard
        self._exercise = exercise
        self._check: apart.Check | None = None
        self._passed = False  # the last check, and then any key goes on
        self._ending = False  # nobody types any more
        self._finished = False  # and nothing else is open
        self._seen: State | None = None
        self._changed = 0.0  # when a change was seen that is not checked yet; 0 for none
        self._gone = 0.0  # since when there is no file; 0 when there is one, or it was said

    def run(self) -> int:
        """Watch until the learner quits."""
        self._go_to(self._exercise)
        try:
            while True:
                self._look()
                if self._check is not None and self._check.poll(0):
                    self._show(self._check)
                if self._finished or (self._ending and self._check is None):
                    return 0 if self._passed else 1
                key = self._keyboard.key(LOOK)
                if key == "q":
                    return 0
                if key == END:
                    self._ending = True
                    time.sleep(LOOK)  # for the keyboard waits no longer
                elif key:
                    self._press(key)
        finally:
            self._stop()

    # --- What the learner does

    def _press(self, key: str) -> None:
        known = {
            "h": self._hint,
            "s": self._solution,
            "p": self._progress,
            "n": self._next,
            "r": self._begin,
            ENTER: self._next if self._passed else self._begin,
        }
        action = known.get(key, self._next if self._passed else None)
        if action is None:
            self._say_keys()
            return
        if self._stop() and key in "hsp":
            self._say("The check was stopped; r starts it again.")
        action()

    def _hint(self) -> None:
        print()
        self._say(hint(self._exercise.name))
        self._say_keys()

    def _solution(self) -> None:
        print()
        self._say(answer.solution(self._exercise))
        self._say_keys()

    def _progress(self) -> None:
        print()
        self._say(standing.standing(folder=self._folder).text)
        self._say_keys()

    def _next(self) -> None:
        following = _next_open(self._exercise)
        if following is None:
            self._say("No other exercise is open.")
            self._say_keys()
        else:
            self._go_to(following)

    def _look(self) -> None:
        """See whether the file was saved."""
        now, state = time.monotonic(), _state(self._folder / self._exercise.file)
        if state is None:
            if self._gone and now - self._gone > GONE:
                self._gone = 0.0
                self._say(f"{self._place()} is gone; the watch goes on when it is back.")
                again = f"python -m workbench.exercises strip --only {self._exercise.name}"
                self._say(f"A fresh one: {again}")
            return
        self._gone = now
        if state != self._seen:
            self._seen, self._changed = state, now
            self._stop()
        elif self._changed and now - self._changed > SETTLED:
            self._begin()

    # --- What the watch does

    def _go_to(self, exercise: Exercise) -> None:
        memory.leave_off(exercise)
        self._exercise = exercise
        self._gone = time.monotonic()
        self._begin()

    def _begin(self) -> None:
        self._stop()
        self._passed, self._changed = False, 0.0
        path = self._folder / self._exercise.file
        self._seen = _state(path)
        head = f"{standing.how_far()} · {self._exercise.name} {self._exercise.stars}"
        self._say(f"\n── {head} · {self._exercise.title}\n   {self._place()}\n")
        self._check = apart.of_file(self._exercise, path)
        if not self._check.done:
            print("checking ...", end="", flush=True)

    def _show(self, check: apart.Check) -> None:
        self._check = None
        grade = check.grade
        memory.remember(self._exercise, grade)
        self._passed = grade.passed
        self._finished = grade.passed and _next_open(None) is None
        print("\r", end="")
        self._say(report(self._exercise, grade, ask=ASK))
        self._say_keys()

    def _say_keys(self) -> None:
        print()
        following = _next_open(self._exercise)
        if self._finished:
            self._say("This was the last one: all exercises are solved.")
            return
        if self._passed and following is not None:
            self._say(f"Any key goes on to {following.name} {following.stars}.")
        self._say(KEYS if self._keyboard.single else f"{KEYS}, each with Enter")

    def _stop(self) -> bool:
        """Stop the check that runs; tell whether there was one."""
        check, self._check = self._check, None
        if check is None or check.done:
            return False
        check.stop()
        print(flush=True)  # ends the line that says "checking ..."
        return True

    def _place(self) -> str:
        return f"{self._folder.name}/{self._exercise.file}"

    def _say(self, what: Note | str) -> None:
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
        if isinstance(what, str):
            print("\n".join(_fill(line, width) for line in what.split("\n")), flush=True)
        else:
            print(what.wrapped(width), flush=True)


def _fill(line: str, width: int) -> str:
    """Break a line that is too long; one that fits keeps its spaces."""
    if len(line) <= width:
        return line
    return textwrap.fill(line, width, subsequent_indent="   ", break_on_hyphens=False)


def _resumed() -> Exercise | None:
    """Return the exercise at which the last watch was; the next open one when it is solved."""
    name = memory.left_off()
    exercise = next((each for each in all_exercises() if each.name == name), None)
    solved = exercise is not None and memory.is_solved(exercise)
    return _next_open(exercise) if solved else exercise


def _next_open(after: Exercise | None) -> Exercise | None:
    """Return the next exercise that is not solved, from the one after ``after`` round to it."""
    exercises = all_exercises()
    start = exercises.index(after) + 1 if after in exercises else 0
    solved = progress.entries("exercise")
    in_turn = exercises[start:] + exercises[:start]
    return next((e for e in in_turn if not solved.get(e.name) and e != after), None)


def _state(path: Path) -> State | None:
    """Return what changes when a file is saved; None while there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
