# trips: one slow one
import asyncio


class Bounded:
    def __init__(self, ask, most):
        self.ask = ask
        self.most = most
        self.now = self.line = None
        self.batch = []

    async def __call__(self, path):
        """Ask when there is a place, and return the answer."""
        future = asyncio.get_running_loop().create_future()
        self.batch.append((path, future))
        if self.now is None or self.now.done():
            self.now = asyncio.ensure_future(self.work())
        return await future

    async def work(self):
        while self.batch:
            batch, self.batch = self.batch[: self.most], self.batch[self.most :]
            answers = await asyncio.gather(*[self.ask(path) for path, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                future.set_result(answer)
