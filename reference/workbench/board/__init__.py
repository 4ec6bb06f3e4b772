"""The running example: a small classroom board, the same in every interface that the course meets.

``store``, ``page`` and ``work`` know nothing of WSGI or ASGI; ``wsgi`` is the board as a WSGI
application, and ``upstream`` is the slow service that the board calls, a server of its own.
"""
