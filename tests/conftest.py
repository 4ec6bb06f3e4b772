"""What every run of the tests does at its beginning, and tells at its end."""

from __future__ import annotations

import gc
import signal
import sys
import tempfile
from pathlib import Path

import certifi
import pytest

from workbench.deadline import TookTooLong

# nbformat imports jsonschema, and that compiles forty grammars for addresses where it finds them:
# 1.2 s for every process that reads a notebook. No notebook's schema speaks of such an address.
sys.modules["rfc3987_syntax"] = None


def pytest_configure(config):
    """Prepare what all tests have in common."""
    # A thread of an exercise that we end may hear of it twice, and then nobody is left to catch
    # it. It may be where Python has no line for it, which is more than pytest's reports can take.
    config.addinivalue_line(
        "filterwarnings",
        "ignore:(?s).*TookTooLong:pytest.PytestUnhandledThreadExceptionWarning",
    )
    # Threads and coroutines of a wrong answer may end later than its test, and complain then.
    for late in ("PytestUnhandledThreadExceptionWarning", "PytestUnraisableExceptionWarning"):
        config.addinivalue_line(
            "filterwarnings",
            f"ignore:(?s).*/test_(a_wrong_answer|it_fails)\\w*/ch[0-9]:pytest.{late}",
        )
    trust_one_authority(config)
    hear_ctrl_c()


def pytest_sessionstart(session):
    """Let the end of a learner's endless loop pass where Python can only note it.

    It is thrown into the loop wherever it is, in the clean-up of a weak reference for example, and
    then again: pytest's note of the first one takes long enough to be hit by the next.
    """
    note = sys.unraisablehook

    def hook(unraisable):
        error = unraisable.exc_value
        while error is not None and not isinstance(error, TookTooLong):
            error = error.__context__
        if error is None:
            note(unraisable)

    sys.unraisablehook = hook


def hear_ctrl_c():
    """Hear SIGINT, and let children hear it, also where the shell has us in the background.

    Such a shell has it ignored, and every child of ours would inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def trust_one_authority(config):
    """Let each client of httpx read one authority, and not all that the world trusts.

    That takes 18 ms a client, and no test talks to anybody whom they have signed.
    """
    end = "-----END CERTIFICATE-----\n"
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    few = Path(folder.name, "few.pem")
    few.write_text(Path(certifi.where()).read_text("utf-8").partition(end)[0] + end, "utf-8")
    certifi.where = lambda: str(few)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Take what is imported and collected out of what the garbage collector looks at.

    Ten thousand tests and all modules stay to the end: there is nothing to collect while they are
    made, and each full collection behind that would walk over them all again. It takes 0.2 s, and
    seven hundred tests ask for one in order to see that nothing is left open.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter):
    """List the exhibits of the museum, each with the check that has found its bug; count pairs."""
    told = [
        (key, value)
        for report in terminalreporter.stats.get("passed", [])
        if report.when == "call"
        for key, value in report.user_properties
    ]
    lines = {value for key, value in told if key == "exhibit"}
    if lines:
        terminalreporter.section("the museum of broken servers")
        for number, line in sorted(lines):
            terminalreporter.write_line(f"exhibit {number}: {line}")
    pairs = {name: count for key, value in told if key == "pair" for name, count in [value]}
    if pairs:
        terminalreporter.section("frameworks on servers")
        terminalreporter.write_line(f"{len(pairs)} of {max(pairs.values())} pairs serve the board")
