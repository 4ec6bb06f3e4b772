"""The exercises of chapter 14: ASGI in the wild."""

from __future__ import annotations

from workbench.exercises.anonymous_servers import WHICH_SERVER
from workbench.exercises.choosing import CHOOSE_FOR_A_LOAD
from workbench.exercises.moving_over import WSGI_TO_ASGI_STEPS

EXERCISES = (WHICH_SERVER, CHOOSE_FOR_A_LOAD, WSGI_TO_ASGI_STEPS)
