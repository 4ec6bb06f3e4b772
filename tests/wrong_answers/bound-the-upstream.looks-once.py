# trips: never more than its places
import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.free = most
        self.changed = asyncio.Event()

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        if self.free == 0:
            self.changed.clear()
            await self.changed.wait()
        self.free -= 1
        try:
            return await self.ask(path)
        finally:
            self.free += 1
            self.changed.set()
