"""The running example: a small classroom board, the same in every interface that the course meets.

``store``, ``page``, ``asking`` and ``work`` know nothing of WSGI or ASGI; ``wsgi`` and ``asgi`` are
the board as an application of the one and of the other, with the same routes and the same answers.
``upstream`` is the slow service that the board calls, a server of its own.
"""
