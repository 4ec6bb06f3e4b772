"""Is an application served by the interface that it was written for?"""

from __future__ import annotations

import functools

import flask
import pytest
from starlette.applications import Starlette

from handmade.loading import interface_of
from workbench.board import asgi, wsgi


async def asgi_function(scope, receive, send):
    pass


async def forgetful(environ, start_response):
    """What a learner writes who puts async before a WSGI application: still called with two."""


def wsgi_function(environ, start_response):
    return []


async def open_coroutine(*arguments):
    pass


def double_callable(scope):
    return open_coroutine


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (asgi_function, "asgi"),
        (functools.partial(asgi_function), "asgi"),
        (lambda scope, receive, send: asgi_function(scope, receive, send), "asgi"),
        (open_coroutine, "asgi"),
        (asgi.make_app(), "asgi"),
        (asgi.make_app().__call__, "asgi"),
        (Starlette(), "asgi"),
        (wsgi_function, "wsgi"),
        (forgetful, "wsgi"),
        (wsgi.make_app(), "wsgi"),
        (flask.Flask("board"), "wsgi"),
        (double_callable, "wsgi"),
        (print, "wsgi"),
    ],
)
def test_the_interface_is_told_by_how_an_application_is_called(app, interface):
    assert interface_of(app) == interface
