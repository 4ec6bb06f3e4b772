# trips: never more than its places
import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.most = most
        self.places = {}

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        async with self.places.setdefault(path, asyncio.Semaphore(self.most)):
            return await self.ask(path)
