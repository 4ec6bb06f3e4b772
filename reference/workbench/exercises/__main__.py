"""The exercises on the command line: ``python -m workbench.exercises --help``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from workbench import progress
from workbench.exercises import apart, hint, memory, runner, solution, standing
from workbench.exercises.catalogue import UnknownExercise, all_exercises, find, select
from workbench.exercises.model import Exercise
from workbench.exercises.report import report
from workbench.exercises.strip import EXERCISES, StripError, differences, hand_out
from workbench.exercises.watch import watch

ASK = "python -m workbench.exercises hint"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; whatever a learner can mend ends in one line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ✓ shows ?, and goes on
    options = _options(arguments)
    try:
        code: int = options.run(options)
    except (UnknownExercise, StripError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def check_command(options: argparse.Namespace) -> int:
    """Grade the named exercises, or print the table of all; 1 when a point does not hold."""
    if not options.names:
        return _table(options.folder)
    chosen = [exercise for name in options.names for exercise in select(name)]
    passed = []
    for number, exercise in enumerate(chosen):
        if number:
            print()
        grade = apart.grade_file(exercise, options.folder / exercise.file)
        if options.folder == EXERCISES:  # not for the files of somebody else
            memory.remember(exercise, grade)
        print(report(exercise, grade, ask=f"{ASK} {exercise.name}"), flush=True)
        passed.append(grade.passed)
    return 0 if all(passed) else 1


def _table(folder: Path) -> int:
    """Print every exercise with its state; what was begun is graded now."""
    exercises = all_exercises()
    width = max((len(exercise.name) for exercise in exercises), default=0)
    # Somebody else's folder, in a class for example, has nothing to do with your progress.
    solved = progress.entries("exercise") if folder == EXERCISES else {}
    counts = {"✓": 0, "✗": 0, "○": 0}
    chapter = -1
    for exercise in exercises:
        if exercise.chapter != chapter:
            chapter = exercise.chapter
            print(f"Chapter {chapter:02}")
        sign = _sign(exercise, folder, bool(solved.get(exercise.name)))
        counts[sign] += 1
        print(f"  {sign} {exercise.name:{width}}  {exercise.stars:3}  {exercise.title}", flush=True)
    print(f"✓ {counts['✓']} solved   ✗ {counts['✗']} begun   ○ {counts['○']} not begun")
    return 1 if counts["✗"] else 0


def _sign(exercise: Exercise, folder: Path, solved: bool) -> str:
    path = folder / exercise.file
    if not path.is_file() or runner.is_untouched(exercise, path):
        return "✓" if solved else "○"  # solved in a cell of the notebook
    return "✓" if apart.grade_file(exercise, path).passed else "✗"


def hint_command(options: argparse.Namespace) -> int:
    """Print a hint."""
    find(options.name)
    print(hint(options.name, options.number))
    return 0


def solution_command(options: argparse.Namespace) -> int:
    """Print a solution, once it may be seen."""
    find(options.name)
    print(solution(options.name))
    return 0


def progress_command(options: argparse.Namespace) -> int:
    """Print the table of what is done; nothing is run."""
    print(standing.standing(options.chapter, options.folder))
    return 0


def list_command(options: argparse.Namespace) -> int:
    """Print names, effort and titles; nothing is run."""
    exercises = all_exercises()
    width = max((len(exercise.name) for exercise in exercises), default=0)
    for exercise in exercises:
        head = f"{exercise.chapter:02}  {exercise.name:{width}}  {exercise.stars:3}"
        print(f"{head}  {exercise.title}")
    return 0


def watch_command(options: argparse.Namespace) -> int:
    """Watch an exercise."""
    return watch(options.folder, find(options.name) if options.name else None)


def strip_command(options: argparse.Namespace) -> int:
    """Write the exercises from their solutions, or compare them."""
    exercises = [find(name) for name in options.only] if options.only else all_exercises()
    if options.check:
        return _compare(all_exercises())
    told = [line for exercise in exercises if (line := hand_out(exercise, bool(options.only)))]
    print("\n".join(told) or "nothing to do")
    return 1 if any("is missing" in line for line in told) else 0


def _compare(exercises: Iterable[Exercise]) -> int:
    wrong, edited = differences(exercises, learner=not os.environ.get("CI"))
    if edited:
        print(f"not compared, for you have worked on them: {', '.join(edited)}")
    for line in wrong:
        print(line)
    if wrong:
        print("Write them anew with: python -m workbench.exercises strip")
    return 1 if wrong else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m workbench.exercises",
        description="Check, hints, solutions, progress, and the files themselves.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("check", help="grade your files; without a name: a table of all")
    one.add_argument("names", nargs="*", metavar="NAME", help="an exercise, or a chapter's number")
    one.add_argument("--folder", type=Path, default=EXERCISES, help="where the files are")
    one.set_defaults(run=check_command)

    one = commands.add_parser("watch", help="grade the next open exercise each time you save")
    one.add_argument("name", nargs="?", metavar="NAME", help="begin with this exercise")
    one.add_argument("--folder", type=Path, default=EXERCISES, help="where the files are")
    one.set_defaults(run=watch_command)

    one = commands.add_parser("hint", help="the next hint, or the one of a number")
    one.add_argument("name", metavar="NAME")
    one.add_argument("number", nargs="?", type=int, choices=(1, 2, 3), metavar="N")
    one.set_defaults(run=hint_command)

    one = commands.add_parser("solution", help="the solution; ask twice if it is not solved yet")
    one.add_argument("name", metavar="NAME")
    one.set_defaults(run=solution_command)

    one = commands.add_parser("progress", help="what is done, as a table; nothing is run")
    one.add_argument("chapter", nargs="?", type=int, metavar="CHAPTER", help="each exercise of it")
    one.add_argument("--folder", type=Path, default=EXERCISES, help="where the files are")
    one.set_defaults(run=progress_command)

    one = commands.add_parser("list", help="names, effort and titles")
    one.set_defaults(run=list_command)

    one = commands.add_parser("strip", help="write exercises/ from solutions/")
    one.add_argument("--check", action="store_true", help="change nothing, fail if it would")
    one.add_argument("--only", action="append", metavar="NAME", help="a fresh file for this one")
    one.set_defaults(run=strip_command)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
