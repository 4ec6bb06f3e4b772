"""The views under WSGI: functions, and a thread that waits for each."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import httpx
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_POST

from workbench.board.page import page

from ..common import EVERYBODY, LINES, UPSTREAM, line, number
from .models import Post, PostForm, from_json

upstream = httpx.Client(base_url=UPSTREAM, limits=EVERYBODY, timeout=30, trust_env=False)


def home(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    return HttpResponse(page(Post.objects.order_by("number")))


def posts(request: HttpRequest) -> HttpResponse:
    """List the posts, or take one: a form from the page, or JSON."""
    if request.method != "POST":
        found = [post.as_dict() for post in Post.objects.order_by("number")]
        return JsonResponse(found, safe=False)  # a list, and not an object
    is_json = request.content_type == "application/json"
    form = PostForm(from_json(request.body) if is_json else request.POST)
    if not form.is_valid():
        return JsonResponse(form.errors, status=400)
    post = form.save()
    if is_json:
        return JsonResponse(post.as_dict(), status=201)
    return HttpResponse(status=303, headers={"Location": "./"})


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Give lines, each as soon as it is made."""
    count = int(number(request.GET, "n", 5, LINES))
    pause = number(request.GET, "pause", 0.02, 1)

    def lines() -> Iterator[str]:
        for each in range(1, count + 1):
            yield line(each, count)
            time.sleep(pause)

    return StreamingHttpResponse(lines(), content_type="text/plain")


def slow(request: HttpRequest) -> HttpResponse:
    """Ask the upstream; this thread waits."""
    if not UPSTREAM:
        return HttpResponse("this board was started without an upstream", status=503)
    answer = upstream.get("/", params={"wait": number(request.GET, "wait", 0.1, 30)})
    return HttpResponse(answer.content, content_type="application/json")


@require_POST  # type: ignore[untyped-decorator]  # Django is published without types
def upload(request: HttpRequest) -> HttpResponse:
    """Count an upload, a block at a time."""
    size, digest = 0, hashlib.sha256()
    while block := request.read(65536):
        size += len(block)
        digest.update(block)
    return JsonResponse({"bytes": size, "sha256": digest.hexdigest()})


urlpatterns = [
    path("", home),
    path("posts", posts),
    path("stream", stream),
    path("slow", slow),
    path("upload", upload),
]
