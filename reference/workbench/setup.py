"""Look whether the course can run here, and say how to mend what it cannot.

    setup_report()

Each line says ok, or what to do. What it says is the same on every machine where all is well: no
version, no path and no port is shown.
"""

from __future__ import annotations

import html
import importlib
import importlib.metadata
import importlib.util
import os
import select
import socket
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass

from workbench.places import ROOT

AGAIN = "Close Jupyter and start the course again with: python3 learn.py"
HOST = "127.0.0.1"
OLDEST = (3, 11)  # and learn.py turns older ones away


class Trouble(Exception):
    """What is missing, and what to do about it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``trouble`` is "" where all is well."""

    what: str
    good: str
    trouble: str = ""


@dataclass(frozen=True)
class SetupReport:
    """All findings, as text and as an HTML table."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True when nothing needs mending."""
        return not any(finding.trouble for finding in self.findings)

    @property
    def verdict(self) -> str:
        """Say the result in a sentence."""
        wrong = sum(bool(finding.trouble) for finding in self.findings)
        if not wrong:
            return "All is ready."
        lines = "1 line needs" if wrong == 1 else f"{wrong} lines need"
        return f"{lines} mending; what to do stands beside it."

    def __repr__(self) -> str:
        width = max(len(finding.what) for finding in self.findings)
        lines = [f"{_sign(f)} {f.what:<{width}}  {f.trouble or f.good}" for f in self.findings]
        return "\n".join([*lines, self.verdict])

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        rows = "".join(
            f"<tr><td>{_sign(f)}</td><td {left}>{html.escape(f.what)}</td>"
            f"<td {left}>{html.escape(f.trouble or f.good)}</td></tr>"
            for f in self.findings
        )
        return f"<table>{rows}</table><p><b>{html.escape(self.verdict)}</b></p>"


def _sign(finding: Finding) -> str:
    return "✗" if finding.trouble else "✓"


def setup_report() -> SetupReport:
    """Look at everything that the course needs, in about a tenth of a second."""
    return SetupReport(tuple(_look(*check) for check in CHECKS))


def _look(what: str, good: str, check: Callable[[], None]) -> Finding:
    try:
        check()
    except Trouble as trouble:
        return Finding(what, good, str(trouble))
    except Exception as error:  # a check must never be what stops a learner
        return Finding(what, good, f"{type(error).__name__}: {error}. {AGAIN}")
    return Finding(what, good)


# --- What is looked at ------------------------------------------------------------------------


def _python() -> None:
    if sys.version_info[:2] < OLDEST:
        raise Trouble("This Python is too old. Install 3.11 or newer, then: python3 learn.py")


def _kernel() -> None:
    for name in ("handmade", "workbench"):
        spec = importlib.util.find_spec(name)
        if spec is None or not str(spec.origin).startswith(str(ROOT)):
            raise Trouble(f"{name} is not this course's own. {AGAIN}")


def _packages() -> None:
    missing = [name for name in _wanted() if not _is_installed(name)]
    if missing:
        raise Trouble(f"Missing: {', '.join(missing)}. {AGAIN}")


def _wanted() -> list[str]:
    """Return the names of the packages that the course lists, as far as they apply here."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    return [_name(line) for line in listed if ";" not in line]


def _name(requirement: str) -> str:
    """Return the name in ``httpx[http2]>=0.28``."""
    for place, sign in enumerate(requirement):
        if not (sign.isalnum() or sign in "-_."):
            return requirement[:place]
    return requirement


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _ports() -> None:
    try:
        with (
            socket.create_server((HOST, 0)) as listener,
            socket.create_connection(listener.getsockname(), 1.0) as client,
            listener.accept()[0] as sock,
        ):
            client.sendall(b"hello")
            sock.settimeout(1.0)
            heard = sock.recv(5)
    except OSError as error:
        raise Trouble(
            f"No connection to this machine itself ({error}). A firewall or a sandbox forbids "
            f"loopback: allow {HOST} for Python"
        ) from None
    if heard != b"hello":
        raise Trouble(f"Something between two sockets changes what they say. Allow {HOST}")


def _threads() -> None:
    done = threading.Event()
    threading.Thread(target=done.set, daemon=True).start()
    if not done.wait(2.0):
        raise Trouble("Threads do not run here. Use a desktop Python, not one inside a browser")


def _clock() -> None:
    before = time.monotonic()
    select.select([], [], [], 0.02) if os.name == "posix" else threading.Event().wait(0.02)
    if not 0.01 < time.monotonic() - before < 1.0:
        raise Trouble("The clock jumps or the machine is very busy: measurements will be rough")


def _pictures() -> None:
    from workbench.picture import Picture, sheet

    if not Picture(lambda: sheet(0.5).figure, "", "")._repr_png_().startswith(b"\x89PNG"):
        raise Trouble(f"matplotlib draws nothing. {AGAIN}")


def _browser() -> None:
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if hub and importlib.util.find_spec("jupyter_server_proxy") is None:
        raise Trouble(
            "This is a hub, and your browser cannot reach your servers: ask for "
            "jupyter-server-proxy. All else works without it"
        )


def _progress() -> None:
    from workbench import progress

    file = progress.path()
    target = file if file.exists() else file.parent
    if not os.access(target, os.W_OK):
        raise Trouble("The course's folder cannot be written: progress lasts until the kernel ends")


CHECKS: tuple[tuple[str, str, Callable[[], None]], ...] = (
    ("Python", "new enough", _python),
    ("kernel", "runs this course's own code", _kernel),
    ("packages", "all there", _packages),
    ("ports", "a client reaches a server on this machine", _ports),
    ("threads", "a server can run beside a cell", _threads),
    ("clock", "steady enough to measure with", _clock),
    ("pictures", "can be drawn", _pictures),
    ("browser", "will find the servers", _browser),
    ("progress", "can be kept", _progress),
)
