"""The board in Django: one model, and the same routes twice, for WSGI and for ASGI.

``views`` are functions, ``async_views`` coroutines; ``wsgi`` and ``asgi`` are as ``startproject``
writes them.  Django has no WebSockets and answers no lifespan.
"""
