"""★★ configure-gunicorn: choose the options for a stated load, and prove it by measurement.

Each request waits 100 ms for a database, which allows 64 connections, one for each request that
runs. There is memory for two worker processes. 24 clients ask without a pause.

`options()` returns what stands on Gunicorn's command line besides address and application:
`["--workers", "1"]`. The check starts it and demands:

1. at least 60 % of the rate that Little's law allows
2. at most two workers, and 64 requests that run at a time
3. beside six clients that stall in the middle of a head, another one is answered within a second
4. who asks again after 0.3 s finds its connection open
5. a worker is killed: requests in the other one go on, and a new one comes
6. a worker that is frozen is replaced within 6 s
"""

from __future__ import annotations


def options() -> list[str]:
    """Return Gunicorn's options for this load."""
    ### BEGIN SOLUTION
    return ["-k", "gthread", "--workers", "2", "--threads", "32", "--timeout", "2"]
    ### END SOLUTION
