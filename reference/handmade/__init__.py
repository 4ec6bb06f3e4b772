"""A WSGI server built from sockets, one layer at a time.

Read in this order: events, grammar, http1_reading, http1_chunked, http1_writing, http1_states,
http1, http1_h11, then gateway and the wsgi modules, then waiting, wire, service, connection,
blocking, threads, processes, and last cli.  ``reference/README.md`` tells why.
"""

__version__ = "1.0"
