"""The program in the load generator's own process: a plan on stdin, the report on stdout.

`workbench.load` starts it by its path, and it has to start fast: it imports from the package only
the modules that it needs, and these import nothing but each other and the standard library.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # Started by its path and with -I, this file does not find the package it is in. The folder
    # above holds nothing but our packages and may stand first. The package's own folder must not:
    # there a module could shadow one of the standard library's.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench.cpu import shares, tree_cpu
from workbench.load_loop import Run
from workbench.load_plan import MAX_CLIENTS, Plan
from workbench.load_pollers import EpollPoller, SelectorPoller


def main() -> None:
    """Read a plan from stdin, carry it out, write the report to stdout. Both are JSON."""
    plan = Plan.from_json(sys.stdin.read())
    _prepare(plan)
    run = Run(plan, EpollPoller() if hasattr(select, "epoll") else SelectorPoller())
    before = {} if plan.pid is None else tree_cpu(plan.pid)
    cpu = time.process_time()
    ended = run.run()
    elapsed = run.finished - run.start
    cpu = time.process_time() - cpu
    server, busiest = shares(before, tree_cpu(plan.pid) if plan.pid else {}, elapsed)
    report = {
        "elapsed": elapsed,
        "client_cpu": cpu / elapsed,
        "server_cpu": server,
        "busiest": busiest,
        "ended": ended,
        **run.report(),
    }
    json.dump(report, sys.stdout)


def _prepare(plan: Plan) -> None:
    """Make this process fit for many connections and even times."""
    # A record is never part of a cycle: without the collector the loop has no pauses of its own.
    gc.disable()
    if plan.cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {plan.cpu})
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MAX_CLIENTS + 100
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    main()
