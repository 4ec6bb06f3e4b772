"""The same small board in five frameworks, each with that framework's own ways.

=======================  =====================================================================
``flask_board:app``      WSGI; sqlite3 by hand, a connection for each request
``django_board.wsgi``    WSGI; the ORM, a form that validates, views that are functions
``django_board.asgi``    ASGI; the same models, with views that are coroutines
``starlette_board:app``  ASGI; a lifespan, a WebSocket
``quart_board:app``      ASGI; Flask's ways with ``await``, a WebSocket
``fastapi_board:app``    ASGI; a model that validates, a dependency, a WebSocket
=======================  =====================================================================

All have the routes of ``workbench.board``: ``/``, ``/posts``, ``/stream``, ``/slow``, ``/upload``,
and ``/live`` where the framework has WebSockets (Django has none: Channels would bring them).
``common`` is what they share, ``starlette_live`` the feed of the two that stand on Starlette.  Run
one by ``gunicorn workbench.ecosystem.boards.flask_board:app``;
BOARD_UPSTREAM is the URL of the service behind ``/slow``, BOARD_FOLDER where the two with a
database keep it.
"""
