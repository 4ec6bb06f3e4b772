# trips: as many as are allowed
import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.most = most
        self.places = asyncio.Lock()

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        async with self.places:
            return await self.ask(path)
