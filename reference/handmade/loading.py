"""Find the application that a command line names."""

from __future__ import annotations

import importlib
import inspect
import re
import traceback
from typing import Any

NAME = re.compile(r"(?P<module>[\w.]+)(?::(?P<attribute>[\w.]+)(?P<call>\(\))?)?")
USUAL_NAMES = ("app", "application")


class CannotLoad(Exception):
    """The application cannot be had; the message is one line that says how to mend it."""


def load(name: str) -> Any:
    """Return the application ``module:name``, or what ``module:factory()`` returns.

    Without a name ``app`` and ``application`` are tried.  Raise CannotLoad.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise CannotLoad(f"{name!r} is not of the form module:name, for example board:app")
    module = _import(match["module"])
    if match["attribute"]:
        found = _attribute(module, match["module"], match["attribute"])
    else:
        found = _usual(module, match["module"])
    if match["call"]:
        found = _make(found, name)
    if not callable(found):
        raise CannotLoad(f"{name} is not callable but of type {type(found).__name__}")
    return found


def _import(name: str) -> Any:
    """Import a module; tell apart a module that is not there from one that is broken."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            message = f"no module {error.name!r} here: check the name, or say --chdir DIR"
            raise CannotLoad(message) from error
        missing = f"{name} needs the module {error.name!r}: install it ({_place(error)})"
        raise CannotLoad(missing) from error
    except (Exception, SystemExit) as error:
        raise CannotLoad(f"{name} does not import: {_describe(error)}") from error


def _attribute(module: Any, module_name: str, path: str) -> Any:
    """Follow a dotted path from a module."""
    found = module
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
            hint = f"; it has {', '.join(names[:8])}" if names else ""
            raise CannotLoad(f"{module_name} has no {path!r}{hint}") from None
        except Exception as error:
            raise CannotLoad(f"{module_name}:{path} failed: {_describe(error)}") from error
    return found


def _usual(module: Any, module_name: str) -> Any:
    """Try the names that applications usually have."""
    for name in USUAL_NAMES:
        if hasattr(module, name):
            return getattr(module, name)
    raise CannotLoad(f"{module_name} has neither app nor application: say {module_name}:name")


def _make(factory: Any, name: str) -> Any:
    """Call a factory."""
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise CannotLoad(f"{name} failed: {_describe(error)}") from error


def _describe(error: BaseException) -> str:
    """Return an error in one line, with the place where it happened."""
    return f"{type(error).__name__}: {error} ({_place(error)})".replace("\n", " ")


def _place(error: BaseException) -> str:
    """Return file and line of the innermost frame; of a syntax error, its own."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<frozen")] or frames
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else "no place known"


def interface_of(app: Any) -> str:
    """Tell "wsgi" from "asgi" by how an application wants to be called.

    WSGI calls with two arguments, ASGI with three.  Where a signature leaves that open, as
    ``*args`` does, a coroutine function is ASGI, and so is an object whose ``__call__`` is one.
    """
    call = app if inspect.isroutine(app) else getattr(app, "__call__", app)  # noqa: B004
    guess = "asgi" if any(map(inspect.iscoroutinefunction, (app, call))) else "wsgi"
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):  # some callables made in C do not tell
        return guess
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    needed = [p for p in parameters if p.kind in kinds and p.default is p.empty]
    return {2: "wsgi", 3: "asgi"}.get(len(needed), guess)
