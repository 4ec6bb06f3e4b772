"""Checks of a protocol that not every server speaks: whether it does is asked once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .asking import Asking, Broken
from .model import NotSpoken, check

Run = Callable[[Any], None]


def where_spoken(
    group: str, chapter: int, ask: Callable[[Asking], str]
) -> Callable[..., Callable[[Run], Run]]:
    """Return a decorator that registers a check of a group.

    ``ask`` asks a server whether it speaks the protocol: it returns "" if so, else what speaks
    against it, or raises Broken.  An ``interface`` other than "asgi" needs no probe.
    """

    def demand(it: Asking) -> None:
        if group not in it.known:
            try:
                it.known[group] = ask(it)
            except Broken as broken:
                it.known[group] = broken.problem
        if it.known[group]:
            raise NotSpoken(it.known[group])

    def register(name: str, clause: str, **how: Any) -> Callable[[Run], Run]:
        needs = ("probe",) if how.get("interface") == "asgi" else ()

        def wrap(run: Run) -> Run:
            @wraps(run)
            def asked(it: Asking) -> None:
                demand(it)
                run(it)

            return check(name, clause, chapter, group=group, needs=needs, **how)(asked)

        return wrap

    return register
