"""How much CPU time a process and its descendants have used, read from /proc where there is one."""

from __future__ import annotations

import os
from pathlib import Path


def tree_cpu(pid: int) -> dict[int, float]:
    """Give the CPU seconds (user and system) used so far by a process and by its descendants.

    By process id; empty where there is no /proc and when the process is gone. Our own process is
    left out, with everything below it: a server in the notebook's process has us as its child.
    """
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    tick = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # man 5 proc: the name in parentheses may itself hold spaces and parentheses.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        number = int(stat.parent.name)
        parents[number] = int(fields[1])
        used[number] = (int(fields[11]) + int(fields[12])) / tick
    return {number: cpu for number, cpu in used.items() if _descends(number, pid, parents)}


def _descends(number: int, ancestor: int, parents: dict[int, int]) -> bool:
    while number != ancestor:
        if number == os.getpid() or number not in parents:
            return False
        number = parents[number]
    return True


def shares(
    before: dict[int, float], after: dict[int, float], elapsed: float
) -> tuple[float | None, float | None]:
    """Give the CPU of all processes and of the busiest one, as fractions of one core."""
    if not after:
        return None, None
    used = [(cpu - before.get(pid, 0.0)) / elapsed for pid, cpu in after.items()]
    return sum(used), max(used)
