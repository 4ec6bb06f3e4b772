# trips: askers who leave from inside
import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.most = most
        self.places = asyncio.Semaphore(most)

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        await self.places.acquire()
        try:
            answer = await self.ask(path)
        except Exception:
            self.places.release()
            raise
        self.places.release()
        return answer
