"""The same little room in four frameworks: echo, subprotocol, denial, a close with a reason."""

import asyncio


def starlette_room():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocketDisconnect

    left = []

    async def echo(websocket):
        await websocket.accept(subprotocol=next(iter(websocket["subprotocols"]), None))
        try:
            while True:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    raise WebSocketDisconnect(message["code"], message.get("reason"))
                if message.get("text") is not None:
                    await websocket.send_text(message["text"])
                else:
                    await websocket.send_bytes(message["bytes"])
        except WebSocketDisconnect as gone:
            left.append((gone.code, gone.reason))

    async def deny(websocket):
        await websocket.send_denial_response(PlainTextResponse("not today", status_code=401))

    async def refuse(websocket):
        await websocket.close(4403)

    async def goodbye(websocket):
        await websocket.accept(headers=[(b"x-room", b"lobby")])
        await websocket.send_json({"hello": websocket.query_params["name"]})
        await websocket.close(4001, "the room closes")

    async def fail(websocket):
        await websocket.accept()
        raise ValueError("in the room")

    views = {"/echo": echo, "/deny": deny, "/refuse": refuse, "/goodbye": goodbye, "/fail": fail}
    app = Starlette(routes=[WebSocketRoute(path, view) for path, view in views.items()])
    return app, left


def fastapi_room():
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect

    left = []
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket):
        await websocket.accept(subprotocol=next(iter(websocket["subprotocols"]), None))
        try:
            async for text in websocket.iter_text():
                await websocket.send_text(text)
        finally:
            left.append((1000, ""))

    @app.websocket("/goodbye")
    async def goodbye(websocket: WebSocket, name: str):
        await websocket.accept(headers=[(b"x-room", b"lobby")])
        await websocket.send_json({"hello": name})
        await websocket.close(4001, "the room closes")

    @app.websocket("/fail")
    async def fail(websocket: WebSocket):
        await websocket.accept()
        try:
            raise WebSocketDisconnect(1000)
        finally:
            raise ValueError("in the room")

    @app.websocket("/refuse")
    async def refuse(websocket: WebSocket):
        await websocket.close(4403)

    return app, left


def quart_room():
    from quart import Quart, abort, websocket

    left = []
    app = Quart(__name__)

    @app.websocket("/echo")
    async def echo():
        chosen = next(iter(websocket.requested_subprotocols), None)
        await websocket.accept(subprotocol=chosen)
        try:
            while True:
                await websocket.send(await websocket.receive())
        except asyncio.CancelledError:
            left.append((1000, ""))
            raise

    @app.websocket("/deny")
    async def deny():
        abort(401)

    @app.websocket("/goodbye")
    async def goodbye():
        await websocket.accept(headers={"x-room": "lobby"})
        await websocket.send_json({"hello": websocket.args["name"]})
        await websocket.close(4001, "the room closes")

    @app.websocket("/fail")
    async def fail():
        await websocket.accept()
        raise ValueError("in the room")

    return app, left


def channels_room():
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(SECRET_KEY="for tests", ALLOWED_HOSTS=["*"])
        django.setup()
    from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.urls import path

    left = []

    class Echo(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept(next(iter(self.scope["subprotocols"]), None))

        async def receive(self, text_data=None, bytes_data=None):
            await self.send(text_data, bytes_data)

        async def disconnect(self, code):
            left.append((code, ""))

    class Goodbye(AsyncJsonWebsocketConsumer):
        async def connect(self):
            await self.accept(headers=[(b"x-room", b"lobby")])
            name = self.scope["query_string"].decode().partition("=")[2]
            await self.send_json({"hello": name})
            await self.close(4001, "the room closes")

    class Refuse(AsyncWebsocketConsumer):
        async def connect(self):
            await self.close()

    class Fail(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept()
            raise ValueError("in the room")

    consumers = {"echo": Echo, "goodbye": Goodbye, "refuse": Refuse, "fail": Fail}
    routes = [path(name, consumer.as_asgi()) for name, consumer in consumers.items()]
    return ProtocolTypeRouter({"websocket": URLRouter(routes)}), left


ROOMS = {
    "starlette": starlette_room,
    "fastapi": fastapi_room,
    "quart": quart_room,
    "channels": channels_room,
}
DENIALS = {
    "starlette": {"/deny": 401, "/refuse": 403, "/none": 403},
    "fastapi": {"/refuse": 403, "/none": 403},
    "quart": {"/deny": 401, "/none": 404},
    "channels": {"/refuse": 403},
}
