"""Routes and views."""

import hashlib
from pathlib import Path

from django import forms
from django.http import (
    FileResponse,
    Http404,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.template import engines
from django.urls import include, path, reverse
from django.views import static
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import Note

PAGE = """<form method="post">{% csrf_token %}{{ form }}<button>Save</button></form>
<ul>{% for note in notes %}<li>{{ note.text }}</li>{% endfor %}</ul>"""


class NoteForm(forms.Form):
    text = forms.CharField(max_length=200)


def notes(request):
    form = NoteForm(request.POST or None)
    if form.is_valid():
        Note.objects.create(text=form.cleaned_data["text"])
        return redirect("notes")
    context = {"form": form, "notes": Note.objects.order_by("id")}
    return HttpResponse(engines["django"].from_string(PAGE).render(context, request))


def hello(request, name):
    return HttpResponse(f"hello {name}")


@csrf_exempt
def echo(request):
    return JsonResponse(
        {
            "method": request.method,
            "path": request.path,
            "query": request.GET.dict(),
            "length": len(request.body),
            "header": request.headers.get("X-Header"),
            "uri": request.build_absolute_uri(),
        }
    )


@csrf_exempt
@require_POST
def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse(
        {
            "name": file.name,
            "size": file.size,
            "sha256": digest.hexdigest(),
            "kind": type(file).__name__,
            "field": request.POST.get("field"),
        }
    )


def stream(request):
    return StreamingHttpResponse(
        (f"line {number}\n" for number in range(3)), content_type="text/plain"
    )


def own_file(request):
    return FileResponse(Path(__file__).open("rb"), filename="urls.py")


def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(str(request.session["count"]))


def away(request):
    return redirect(reverse("hello", args=["again"]))


def missing(request):
    raise Http404("on purpose")


def fail(request):
    raise RuntimeError("on purpose: the password is swordfish")


def long(request):
    return HttpResponse("a long text that can be compressed " * 1000)


urlpatterns = [
    path("", notes, name="notes"),
    path("hello/<str:name>", hello, name="hello"),
    path("echo", echo),
    path("upload", upload),
    path("stream", stream),
    path("file", own_file),
    path("count", count),
    path("redirect", away),
    path("missing", missing),
    path("fail", fail),
    path("long", long),
    path("async/", include("django_app.async_views")),
    path("static/<path:path>", static.serve, {"document_root": Path(__file__).parent}),
]
