"""★★ bound-the-upstream: the upstream takes at most N at a time, and you have many.

`Bounded(ask, most)` stands in front of a coroutine function `ask(path)`, which asks a slow upstream
and returns its answer, or raises. `await bounded(path)` does the same, but at most `most` questions
are under way at a time; who comes then waits for a place, and burns no processor.

As many as are allowed shall be under way: twelve questions at most four at a time must be at least
2.5 times as fast as one after the other. A question that fails, or whose asker is cancelled, gives
its place back.
"""

import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.most = most
        ### BEGIN SOLUTION
        self.places = asyncio.Semaphore(most)
        ### END SOLUTION

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        ### BEGIN SOLUTION
        async with self.places:
            return await self.ask(path)
        ### END SOLUTION
