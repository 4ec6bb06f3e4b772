"""Views that are coroutine functions."""

import asyncio
import hashlib

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from .models import Note

TICKS = []


async def hello(request, name):
    await asyncio.sleep(0)
    return HttpResponse(f"hello {name}, asynchronously")


@csrf_exempt
async def notes(request):
    if request.method == "POST":
        note = await Note.objects.acreate(text=request.POST["text"])
        return JsonResponse({"id": note.pk}, status=201)
    found = [note.text async for note in Note.objects.order_by("id")]
    return JsonResponse({"notes": found})


@csrf_exempt
async def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256(b"".join(file.chunks())).hexdigest()
    return JsonResponse({"name": file.name, "size": file.size, "sha256": digest})


async def stream(request):
    async def lines():
        for number in range(3):
            yield f"line {number}\n"
            await asyncio.sleep(0)

    return StreamingHttpResponse(lines(), content_type="text/plain")


async def endless(request):
    """Stream until the client leaves; Django then cancels the view."""

    async def ticks():
        while True:
            TICKS.append("tick")
            yield "tick\n"
            await asyncio.sleep(0.001)

    return StreamingHttpResponse(ticks(), content_type="text/plain")


async def ticks(request):
    return HttpResponse(str(len(TICKS)))


async def cookies(request):
    response = HttpResponse("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def fail(request):
    raise RuntimeError("on purpose: the password is swordfish")


urlpatterns = [
    path("hello/<str:name>", hello),
    path("notes", notes),
    path("upload", upload),
    path("stream", stream),
    path("endless", endless),
    path("ticks", ticks),
    path("cookies", cookies),
    path("fail", fail),
]
