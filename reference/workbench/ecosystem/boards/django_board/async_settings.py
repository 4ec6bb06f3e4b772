"""The settings under ASGI: the views are coroutines, all else is the same."""

from .settings import *  # noqa: F403

ROOT_URLCONF = f"{__package__}.async_views"
