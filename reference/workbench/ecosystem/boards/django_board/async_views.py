"""The views under ASGI: coroutines, also where they ask the database.

``upload`` stays the function that it was: Django has the whole upload in a temporary file before
any view begins, and runs functions in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from workbench.board.page import page

from ..common import EVERYBODY, LINES, UPSTREAM, line, number
from .models import Post, PostForm, from_json
from .views import upload

# Django answers no lifespan: nobody tells it when the server stops, so nobody closes this.
upstream = httpx.AsyncClient(base_url=UPSTREAM, limits=EVERYBODY, timeout=30, trust_env=False)


async def home(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    return HttpResponse(page([post async for post in Post.objects.order_by("number")]))


async def posts(request: HttpRequest) -> HttpResponse:
    """List the posts, or take one: a form from the page, or JSON."""
    if request.method != "POST":
        found = [post.as_dict() async for post in Post.objects.order_by("number")]
        return JsonResponse(found, safe=False)  # a list, and not an object
    is_json = request.content_type == "application/json"
    form = PostForm(from_json(request.body) if is_json else request.POST)
    if not form.is_valid():
        return JsonResponse(form.errors, status=400)
    post = await sync_to_async(form.save)()  # forms know nothing of coroutines: a thread hop
    if is_json:
        return JsonResponse(post.as_dict(), status=201)
    return HttpResponse(status=303, headers={"Location": "./"})


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Give lines, each as soon as it is made."""
    count = int(number(request.GET, "n", 5, LINES))
    pause = number(request.GET, "pause", 0.02, 1)

    async def lines() -> AsyncIterator[str]:
        for each in range(1, count + 1):
            yield line(each, count)
            await asyncio.sleep(pause)

    return StreamingHttpResponse(lines(), content_type="text/plain")


async def slow(request: HttpRequest) -> HttpResponse:
    """Ask the upstream; everybody else goes on meanwhile."""
    if not UPSTREAM:
        return HttpResponse("this board was started without an upstream", status=503)
    wait = number(request.GET, "wait", 0.1, 30)
    answer = await upstream.get("/", params={"wait": wait})
    return HttpResponse(answer.content, content_type="application/json")


urlpatterns = [
    path("", home),
    path("posts", posts),
    path("stream", stream),
    path("slow", slow),
    path("upload", upload),
]
