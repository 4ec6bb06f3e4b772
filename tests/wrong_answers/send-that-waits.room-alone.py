# trips: gone, then paused
import asyncio


class Outlet:
    def __init__(self):
        self.room = asyncio.Event()
        self.room.set()
        self.gone = False

    def pause(self):
        self.room.clear()

    def resume(self):
        self.room.set()

    def lost(self):
        self.gone = True
        self.room.set()

    async def wait(self):
        while not self.room.is_set():
            await self.room.wait()
        if self.gone:
            raise ConnectionResetError
