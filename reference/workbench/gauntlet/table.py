"""The result as a table: in the terminal, in a notebook as PNG and HTML, and as JSON."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Sequence
from typing import Any

from workbench.picture import GREEN, GREY, ORANGE, RED, Picture, sheet

from .explain import told
from .model import FAILURES, GROUPS, NOT_SPOKEN, Report, Result

MARK = {"pass": "ok", "fail": "FAIL", "yes": "yes", "no": "no", "not run": "NOT RUN", "": "-"}
COLOUR = {"pass": GREEN, "fail": RED, "yes": GREY, "no": ORANGE, "not run": RED, "": GREY}
ROW, GROUP, CELL = 0.24, 1.2, 1.45  # inches
FEW = 40  # checks that a picture can show one by one
LINES = 24  # failures that a picture of the groups names


class Table:
    """Reports side by side. ``print(table)`` gives the summary, ``table.all()`` every check."""

    def __init__(self, reports: Sequence[Report]) -> None:
        self.reports = list(reports)

    def __repr__(self) -> str:
        return self.text()

    @property
    def failures(self) -> list[Result]:
        """All failures of judged checks, of all servers."""
        return [result for report in self.reports for result in report.failures]

    def text(self) -> str:
        """Return the summary: a row for each group, then what failed, by name."""
        lines = lay_out(self.rows())
        for report in self.reports:
            for result in report.failures:
                lines.append(f"{report.name}: {MARK[result.verdict]} {result.check.name}: "
                             f"{result.problem}")  # fmt: skip
        return "\n".join(lines)

    def rows(self) -> list[list[str]]:
        """Return the summary as cells, the heads first."""
        rows = [["group", *[report.name for report in self.reports]]]
        for group in GROUPS:
            if any(report.count(group, *MARK) for report in self.reports):
                rows.append([group, *[counted(report, group) for report in self.reports]])
        rows.append(["together", *[counted(report, "") for report in self.reports]])
        rows.append(["seconds", *[f"{report.seconds:.0f}" for report in self.reports]])
        return rows

    def checks(self) -> list[tuple[str, Any, list[str]]]:
        """Return every check that was asked: its group, itself, and the verdicts of each server."""
        order: dict[tuple[str, str], Any] = {}
        for report in self.reports:
            for result in report.results:
                order.setdefault((result.check.name, result.check.interface), result.check)
        found = [
            (check.group, check, [
                next((each.verdict for each in report.results if each.check is check), "")
                for report in self.reports
            ])
            for check in order.values()
        ]  # fmt: skip
        return sorted(found, key=lambda row: GROUPS.index(row[0]))

    def all(self) -> str:
        """Return a row for each check."""
        rows = [["check", "clause", "ch.", *[report.name for report in self.reports]]]
        group = ""
        for name, check, verdicts in self.checks():
            if name != group:
                group = name
                rows.append([f"-- {group}"])
            shown = [MARK[verdict] for verdict in verdicts]
            rows.append([check.name, check.clause, str(check.chapter), *shown])
        return "\n".join(lay_out(rows))

    def why(self, name: str = "") -> str:
        """Return all about what failed: about every judged failure, or about one check by name."""
        found = [
            f"{report.name}\n{told(result)}"
            for report in self.reports
            for result in report.results
            if (result.check.name == name if name else result.verdict in FAILURES)
        ]
        return "\n\n".join(found) or "Nothing failed."

    def json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"gauntlet": 1, "servers": [as_data(report) for report in self.reports]}

    # ------------------------------------------------------------ in a notebook

    def picture(self) -> Picture:
        """Draw the checks, or their groups where they are many, in a column for each server."""
        names = ", ".join(report.name for report in self.reports)
        failed = sum(result.failed for result in self.failures)
        alt = f"Table of the gauntlet for {names}: {failed} judged checks failed."
        return Picture(lambda: draw(self), self.text(), alt)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data, more = self.picture()._repr_mimebundle_()
        return data, more

    def html(self) -> str:
        """Return every check as a plain HTML table, with what failed in words."""
        heads = "".join(f"<th>{html.escape(report.name)}</th>" for report in self.reports)
        lines = [f"<table><tr><th>check</th><th>clause</th><th>chapter</th>{heads}</tr>"]
        for _, check, verdicts in self.checks():
            marks = "".join(f"<td>{MARK[verdict]}</td>" for verdict in verdicts)
            title = html.escape(check.sentence, quote=True)
            lines.append(
                f'<tr><td title="{title}">{html.escape(check.name)}</td>'
                f"<td>{html.escape(check.clause)}</td><td>{check.chapter}</td>{marks}</tr>"
            )
        return "\n".join([*lines, "</table>", f"<pre>{html.escape(self.why())}</pre>"])


def counted(report: Report, group: str) -> str:
    """Return one cell of the summary: passed of judged, and how many choices are a yes."""
    passed, judged = report.count(group, "pass"), report.count(group, "pass", "fail", "not run")
    chosen, choices = report.count(group, "yes"), report.count(group, "yes", "no")
    if not judged and not choices:
        asked = [each.problem for each in report.results if each.check.group == group]
        return NOT_SPOKEN if any(each.startswith(NOT_SPOKEN) for each in asked) else "-"
    parts = [f"{passed}/{judged}" + (" !" if passed < judged else "")] if judged else []
    return ", ".join(parts + ([f"{chosen} of {choices}"] if choices else []))


def lay_out(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of columns; a row of one cell is a title and takes part in no width."""
    full = [row for row in rows if len(row) > 1]
    widths = [max(len(row[column]) for row in full) for column in range(len(full[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data."""
    checks = [
        {
            "name": each.check.name, "group": each.check.group, "interface": each.check.interface,
            "clause": each.check.clause, "chapter": each.check.chapter,
            "choice": each.check.choice, "sentence": each.check.sentence,
            "verdict": each.verdict, "problem": each.problem, "seconds": round(each.seconds, 3),
            "sent": None if each.sent is None else each.sent[:2000].decode("latin-1"),
            "came": None if each.came is None else repr(each.came)[:2000],
        }
        for each in report.results
    ]  # fmt: skip
    return {"name": report.name, "interface": report.interface, "how": report.how,
            "seconds": round(report.seconds, 1), "checks": checks}  # fmt: skip


def to_json(table: Table, path: str) -> None:
    """Write a table as JSON."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(table.json(), file, indent=1, ensure_ascii=False)
        file.write("\n")


def draw(table: Table) -> Any:
    """Draw the table: a row for each check, or for each group where there are too many checks."""
    return draw_checks(table) if len(table.checks()) <= FEW else draw_groups(table)


def draw_groups(table: Table) -> Any:
    """Draw the summary, and below it what failed, by name."""
    heads, *rows = table.rows()
    failed = [f"{report.name}: {MARK[each.verdict]} {each.check.name} ({each.check.clause})"
              for report in table.reports for each in report.failures]  # fmt: skip
    shown = failed[:LINES] + ([f"and {len(failed) - LINES} more"] if len(failed) > LINES else [])
    axes = sheet((len(rows) + len(shown) + 3.5) * ROW, GROUP + CELL * len(table.reports))
    for column, head in enumerate(heads):
        axes.text(_x(column), ROW, head, weight="bold", fontsize=9, va="center")
    for line, row in enumerate(rows, 2):
        for column, cell in enumerate(row):
            how: dict[str, Any] = {"color": RED, "weight": "bold"} if "!" in cell else {}
            axes.text(_x(column), line * ROW, cell, fontsize=9, va="center", **how)
    for line, text in enumerate(shown, len(rows) + 3):
        axes.text(0.1, line * ROW, text, fontsize=8, va="center", color=RED)
    return axes.figure


def _x(column: int) -> float:
    """Return where a column of the summary begins, in inches."""
    return 0.1 if column == 0 else GROUP + CELL * (column - 1)


def draw_checks(table: Table) -> Any:
    """Draw a row for each check, in the colours and with the words of its verdicts."""
    rows = table.checks()
    titles = len({group for group, _, _ in rows})
    axes = sheet((len(rows) + titles + 2) * ROW, 5.2 + 1.1 * len(table.reports))
    y = ROW
    for column, report in enumerate(table.reports):
        axes.text(5.2 + 1.1 * column, y, report.name, weight="bold", fontsize=8.5, va="center")
    last = ""
    for group, check, verdicts in rows:
        y += ROW
        if group != last:
            axes.text(0.1, y, group, weight="bold", fontsize=9.5, va="center")
            last, y = group, y + ROW
        axes.text(0.2, y, check.name, fontsize=8.5, va="center")
        axes.text(2.9, y, check.clause[:34], fontsize=7, va="center", color=GREY)
        for column, verdict in enumerate(verdicts):
            weight = "bold" if verdict in FAILURES else "normal"
            axes.text(5.2 + 1.1 * column, y, MARK[verdict], fontsize=8.5, va="center",
                      color=COLOUR[verdict], weight=weight)  # fmt: skip
    return axes.figure


# --- the terminal -----------------------------------------------------------------------------


def told_live(result: Result, done: int, of: int) -> None:
    """Print what failed as it comes, and how far we are where somebody watches."""
    live = sys.stderr.isatty()
    if result.verdict in FAILURES:
        print(("\r\x1b[K" if live else "") + told(result) + "\n", flush=True)
    if live:
        end = "\r\x1b[K" if done == of else ""
        print(f"\r\x1b[K{done} of {of}: {result.check.name[:50]}{end}", end="", file=sys.stderr,
              flush=True)  # fmt: skip
