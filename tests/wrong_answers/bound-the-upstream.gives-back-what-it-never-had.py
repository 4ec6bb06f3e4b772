# trips: askers who leave the line
import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.most = most
        self.places = asyncio.Semaphore(most)

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        try:
            await self.places.acquire()
            return await self.ask(path)
        finally:
            self.places.release()
