"""★★ break-exhibit-7: find the packet that breaks exhibit 7 of the museum.

Exhibit 7 is our server with one bug: where a request has a Content-Length, it takes all that one
``recv`` gave for the body. Its card, and what it says to a packet of yours:

    from workbench.exercises.exhibits import wsgi_mirror
    from workbench.gauntlet import museum
    print(museum.exhibit(7).symptom)
    with museum.served(museum.exhibit(7), app=wsgi_mirror) as server:
        print(server.talk(packet()))

Write ``packet()``. It returns bytes that our server answers with two times 200. The exhibit answers
once, and gives the second request out as content of the first.
"""

from __future__ import annotations


def packet() -> bytes:
    """Return two requests, of which exhibit 7 sees one."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
