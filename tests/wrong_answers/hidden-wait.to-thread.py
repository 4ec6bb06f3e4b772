# trips: eight at once, 2.5 times as fast
import asyncio
import hashlib
import json
import logging
import logging.handlers
from urllib.parse import urlsplit

import httpx


class Shop:
    def __init__(self, url):
        self.client = httpx.AsyncClient(base_url=url, trust_env=False)
        self.lock = asyncio.Lock()
        self.stock = {"apples": 1000}
        self.log = logging.Logger("shop")
        self.handler = logging.handlers.HTTPHandler(urlsplit(url).netloc, "/log?wait=0.1")
        self.log.addHandler(self.handler)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.lifespan(receive, send)
        body = json.dumps(await self.sell("apples")).encode()
        fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def lifespan(self, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.client.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def sell(self, item):
        price = await self.price(item)
        async with self.lock:
            self.stock[item] -= 1
        self.log.info("sold %s", item)
        return {"item": item, "price": price, "receipt": self.receipt(item, price)}

    async def price(self, item):
        answer = await self.client.get(f"/price/{item}")
        return answer.json()["waited"]

    def receipt(self, item, price):
        return hashlib.pbkdf2_hmac("sha256", item.encode(), b"%g" % price, 500).hex()


def mended(url):
    class Mended(Shop):
        async def sell(self, item):
            price = await self.price(item)
            async with self.lock:
                self.stock[item] -= 1
            await asyncio.to_thread(self.log.info, "sold %s", item)
            return {"item": item, "price": price, "receipt": self.receipt(item, price)}

    return Mended(url)
