"""Does a learner who gets a 500 read what the server's log says, and who hangs read where?"""

from __future__ import annotations

import threading

import pytest

from workbench.contracts import Broken
from workbench.contracts.probes import ok
from workbench.contracts.wire import Wire, request
from workbench.exercises.catalogue import find
from workbench.exercises.model import Slip
from workbench.exercises.report import report
from workbench.exercises.runner import grade_object
from workbench.exercises.serving import places, told_by_the_log
from workbench.exercises.talking import same
from workbench.running import running


def asked(app, **how):
    """Demand 200 of an application, as a point does."""
    with told_by_the_log(**how), running(app) as server, Wire(server.address, 1.0) as wire:
        same(wire.send(request()).response().status, 200, "the status")


def misspelt(environ, start_response):
    return unheard_of(start_response)  # noqa: F821  # it is misspelt


def nothing(environ, start_response):
    ok(start_response)


def test_an_error_behind_a_500_is_raised():
    with pytest.raises(NameError, match="unheard_of"):
        asked(misspelt)


def test_what_the_server_could_not_use_is_told():
    with pytest.raises(Slip, match="the server's log says: the application returned NoneType"):
        asked(nothing)
    with pytest.raises(Broken, match="the status"):
        asked(nothing, own_only=True)


def test_what_holds_is_left_alone():
    asked(lambda environ, start_response: ok(start_response))


def test_a_middleware_is_not_blamed_for_what_it_wraps():
    class Counted:
        """Counts nothing, so every point fails, and raises nothing."""

        def __init__(self, app):
            self.app, self.now, self.most = app, 7, 7

        def __call__(self, environ, start_response):
            return self.app(environ, start_response)

    exercise = find("count-the-threads")
    (raising,) = (point for point in exercise.points if point.label.endswith("that raises"))
    text = " ".join(report(exercise, grade_object(exercise, Counted)).text.split())
    assert raising.trap[:60] in text
    assert "on purpose" not in text  # the application of the check has raised that


def test_a_learner_who_waits_is_told_where():
    before, go_on = set(threading.enumerate()), threading.Event()
    thread = threading.Thread(target=lambda: go_on.wait(5), daemon=True)
    thread.start()
    try:
        assert places(before).endswith("go_on.wait(5), daemon=True)")
    finally:
        go_on.set()
        thread.join()
    assert places(before) == ""
