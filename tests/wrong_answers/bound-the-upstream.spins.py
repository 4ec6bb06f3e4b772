# trips: waiting costs nothing
import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.most = most
        self.under = 0

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        while self.under >= self.most:
            await asyncio.sleep(0)
        self.under += 1
        try:
            return await self.ask(path)
        finally:
            self.under -= 1
