"""Two more kinds of objects, declared as CONTRIBUTING.md says: books, and shelves, which have no trash."""

import uuid
from datetime import datetime
from functools import partial
from typing import ClassVar

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.admin.users import UserAdmin
from accounts.models import User
from accounts.site import StaffSite
from tasks.ledger import filters as ledger
from tasks.ledger.admin.options import ObjectAdmin
from tasks.ledger.importing import import_objects
from tasks.ledger.kinds import CREATE, UPDATE, Kind, kinds
from tasks.ledger.models import OwnedObject
from tasks.ledger.querysets import ObjectQuerySet
from tasks.ledger.serializers import ObjectSerializer
from tasks.ledger.urls import object_routes, under_user
from tasks.ledger.views import ObjectViewSet, write_endpoint
from todo_project import urls
from todo_project.api.fields import InstantField, TextField
from todo_project.api.filters import Filter
from todo_project.api.parameters import QueryParameters, TrueFalseField
from todo_project.operations.importing import importers

# querysets.py


class BookQuerySet(ObjectQuerySet):
    def finished(self) -> "BookQuerySet":
        return self.filter(finished_at__isnull=False)


# models.py


class Book(OwnedObject):
    title = models.CharField(max_length=200)
    place = models.CharField(max_length=100, default="", blank=True)
    finished_at = models.DateTimeField(null=True, editable=False)

    objects = BookQuerySet.as_manager()

    search_columns: ClassVar[tuple[str, ...]] = ("title",)

    class Meta(OwnedObject.Meta):
        app_label = "todo_project"

    def __str__(self) -> str:
        return self.title

    def finish(self, *, at: datetime) -> set[str]:
        return set() if self.finished_at else self.set_fields({"finished_at": at}, at=at)


class Shelf(OwnedObject):
    name = models.CharField(max_length=100)

    search_columns: ClassVar[tuple[str, ...]] = ("name",)

    class Meta(OwnedObject.Meta):
        app_label = "todo_project"
        verbose_name_plural = "shelves"

    def __str__(self) -> str:
        return self.name


# serializers.py


class BookSerializer(ObjectSerializer):
    title = TextField(max_length=200)
    place = TextField(max_length=100, required=False, allow_blank=True, help_text="Where the book stands.")
    finished_at = InstantField(read_only=True, allow_null=True)


class ShelfSerializer(ObjectSerializer):
    name = TextField(max_length=100)


# kinds.py

BOOK = Kind(
    "book",
    Book,
    fields=("title", "place", "finished_at"),
    serializer="tests.support.library.BookSerializer",
    single_statement_fields={CREATE: {"title", "place"}, UPDATE: {"title", "place"}},
    verbs={"finish": lambda book, values, write: book.finish(at=write.at)},
)
SHELF = Kind(
    "shelf",
    Shelf,
    fields=("name",),
    serializer="tests.support.library.ShelfSerializer",
    has_trash=False,
)

# filters.py

BOOK_FILTERS = ledger.FILTERS | {
    "finished": Filter(
        TrueFalseField(help_text="true: only finished books; false: all books."),
        lambda books, finished, now: books.finished() if finished else books,
    ),
}

# views.py


class BookViewSet(ObjectViewSet):
    kind = BOOK
    filters = BOOK_FILTERS

    @write_endpoint("finishBook", "Finish a book", conditional=True, request=None)
    def finish(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("finish", id)


class ShelfViewSet(ObjectViewSet):
    kind = SHELF


# urls.py

routes = [
    *object_routes(BookViewSet),
    path("books/<id:id>/finish", BookViewSet.as_view({"post": "finish"}), name="finish"),
    *object_routes(ShelfViewSet),
]

# admin.py

site = StaffSite("library")
site.register(User, UserAdmin)


@admin.register(Book, site=site)
class BookAdmin(ObjectAdmin):
    kind = BOOK
    fields = ["title", "place"]


@admin.register(Shelf, site=site)
class ShelfAdmin(ObjectAdmin):
    kind = SHELF
    fields = ["name"]


# What the start of the process does with the modules of an app that is installed.

urlpatterns = [
    path("api/v1/", include(under_user(routes))),
    path("library/", site.urls),
    *urls.urlpatterns,
]


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (BOOK, SHELF):
        monkeypatch.setitem(kinds, kind.name, kind)
        monkeypatch.setitem(importers, kind.plural, partial(import_objects, kind))
    # Query parameters with the names of kinds and of their fields are created once.
    uncached = QueryParameters.__dict__["_cached_fields"].__func__.__wrapped__
    monkeypatch.setattr(QueryParameters, "_cached_fields", classmethod(uncached))
    # An earlier test may have created the types of these models and rolled back.
    ContentType.objects.clear_cache()
