"""Inlines of the user's page, which links to the whole list of each. Each app registers its own."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from todo_project.config.registry import Registry

from .options import ReadOnlyAdmin

user_inlines: Registry[type["LatestInline"]] = Registry("inlines of the user's page")


class LatestInline(ReadOnlyAdmin, admin.TabularInline):
    """A user's latest rows of a model, with links to their pages and to the list of all of them."""

    template = "admin/latest_inline.html"
    extra = 0
    MAX_ROWS = 10

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)

        class LatestFormSet(formset):  # type: ignore[misc, valid-type]
            def get_queryset(self) -> Any:
                if not hasattr(self, "_queryset"):
                    self._queryset = super().get_queryset()[: LatestInline.MAX_ROWS]
                return self._queryset

        return LatestFormSet
