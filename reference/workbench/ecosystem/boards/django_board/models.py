"""What the board keeps in its database, and the form that validates it."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.db import models

from workbench.board.store import AUTHOR, TEXT


class Post(models.Model):  # type: ignore[misc]  # Django is published without types
    """One post."""

    number = models.AutoField(primary_key=True)
    author = models.CharField(max_length=AUTHOR, blank=True, default="anonymous")
    text = models.CharField(max_length=TEXT)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON wants it."""
        return {"number": self.number, "author": self.author, "text": self.text}


class PostForm(forms.ModelForm):  # type: ignore[misc]  # Django is published without types
    """A post that somebody sends."""

    class Meta:
        """What of the model a client may set."""

        model = Post
        fields = ["author", "text"]

    def clean_author(self) -> str:
        """Return who posts, which may be nobody."""
        return self.cleaned_data["author"] or "anonymous"


def from_json(body: bytes) -> dict[str, Any]:
    """Return the fields that a form validates; none of them where the body is no object."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
