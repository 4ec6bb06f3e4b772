"""``python -m workbench.gauntlet [names] [--cmd COMMAND] [--group G] [--json FILE]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import targets
from .judge import judge
from .model import GROUPS, Report, all_checks
from .table import Table, to_json, told_live
from .targets import CannotStart, Target


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge servers; return 1 when a judged check has failed, 2 when a server does not start."""
    options = parser().parse_args(arguments)
    if options.list:
        return list_checks(options.group or "")
    try:
        wanted = [target for name in options.names for target in targets.named(name)]
        wanted += [targets.of_command(command) for command in options.cmd]
    except LookupError as error:
        print(f"gauntlet: {error.args[0]}", file=sys.stderr)
        return 2
    reports, broken = [], False
    for target in wanted or targets.named("handmade"):
        if target.missing:
            print(f"{target.name}: left out, {target.missing}")
            continue
        print(f"== {target.name}: {target.described()}", flush=True)
        try:
            reports.append(ask(target, options))
        except CannotStart as error:
            print(f"gauntlet: {target.name}: {error}", file=sys.stderr)
            broken = True
    if reports:
        table = Table(reports)
        print(table.all() + "\n" if options.all else "", end="")
        print(table.text())
        print("\nA cell says how many judged checks passed, of how many; behind the comma how many "
              "choices\nof the implementation are a yes. --all shows every check.")  # fmt: skip
        if options.json:
            to_json(table, options.json)
        broken = broken or bool(table.failures)
    return 2 if not reports else int(broken)


def ask(target: Target, options: argparse.Namespace) -> Report:
    """Judge one server as the options say."""
    quiet = (lambda result, done, of: None) if options.quiet else told_live
    return judge(
        target, group=options.group or "", chapter=options.chapter, jobs=options.jobs, heard=quiet
    )


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="gauntlet", description="One black-box suite for WSGI and ASGI servers.",
        epilog=f"names: {', '.join([*targets.MEANT, *targets.TARGETS])}",
    )  # fmt: skip
    add = found.add_argument
    add("names", nargs="*", metavar="NAME", help="servers by name (handmade)")
    add("--cmd", action="append", default=[], metavar="COMMAND",
        help="'uvicorn probe:app --port {port}': any command that serves the probe")  # fmt: skip
    add("--group", choices=GROUPS, help="ask one group")
    add("--chapter", type=int, default=99, help="ask what must pass by this chapter")
    add("--jobs", type=int, default=0, help="servers at a time (4)")
    add("--json", metavar="FILE", help="write everything there")
    add("--all", action="store_true", help="show a row for each check")
    add("--quiet", action="store_true", help="show the table alone")
    add("--list", action="store_true", help="list the checks and ask nobody")
    return found


def list_checks(group: str) -> int:
    """Print every check, with its clause and its sentence."""
    for check in all_checks():
        if group in ("", check.group):
            kind = "choice" if check.choice else "judged"
            print(f"{check.group:<12} {check.interface:<5} ch{check.chapter:02} {kind}  "
                  f"{check.name}: {check.clause}: {check.sentence}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
