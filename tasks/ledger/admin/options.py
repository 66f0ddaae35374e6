from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.models import DELETION
from django.contrib.admin.utils import model_ngettext, unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import MultipleObjectsReturned, PermissionDenied
from django.db.models import Model, QuerySet
from django.forms.utils import pretty_name
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils.text import get_text_list

from todo_project.admin.actions import Condition, bulk_action
from todo_project.admin.changelist import COUNT_LIMIT, capped
from todo_project.admin.csv import csv_response
from todo_project.admin.forms import OwnersAutocomplete
from todo_project.admin.inlines import LatestInline
from todo_project.admin.options import BoundedModelAdmin
from todo_project.admin.search import indexed_words, is_autocomplete, parse_uuid, reject_search
from todo_project.api.errors import ApiError
from todo_project.db.counting import capped_counts
from todo_project.db.distribution import is_distributed

from ..kinds import CREATE, DELETE, PURGE, RESTORE, UPDATE, Kind, OwnersRows, Rows
from ..models import Clock
from ..operations import Operation, perform, perform_for_owners
from ..querysets import ObjectQuerySet
from ..writes import contents
from .filters import LatestOwnerFilter, TrashFilter
from .forms import ObjectForm

OUTSIDE_TRASH: Condition = ("outside the trash", lambda objects, user: objects.live())
IN_TRASH: Condition = ("in the trash", lambda objects, user: objects.trashed())


class OperationFailed(Exception):
    """Not an ApiError, which would become a message on another page."""

    def __init__(self, error: ApiError) -> None:
        self.error = error


def contents_of(kind: Kind, selected: Any, rows: Rows) -> list[Any]:
    """What is in these objects, and the objects themselves, of each kind."""
    return [find(rows, selected.values("pk")) for find in contents(kind)]


def by_owner(selection: Any) -> list[tuple[Any, Rows]]:
    """Selected objects, and the objects that may be in them or contain them."""
    if not is_distributed():
        return [(selection, lambda model: model.objects.all())]
    # Citus follows references of one owner at a time.
    owners = [get_user_model()(pk=pk) for pk in sorted(set(selection.values_list("owner", flat=True)))]
    return [(selection.for_user(owner), OwnersRows(owner)) for owner in owners]


class ObjectAdmin(BoundedModelAdmin):
    """The change list and the page of a kind of objects."""

    kind: ClassVar[Kind]
    fields: ClassVar[Any] = []
    """The columns that staff can edit. The page shows the others as system fields."""

    read_only_names: ClassVar[Mapping[str, str]] = {}
    """What a page that cannot be changed shows instead of columns."""

    times_of_states: ClassVar[Mapping[str, str]] = {"trashed": "deleted_at"}
    form = ObjectForm
    owner_field = "owner"
    # The order in which the owners' clocks are locked.
    lock_order = ("owner", "pk")
    list_select_related = ("owner",)
    list_filter = [TrashFilter, LatestOwnerFilter, "created_at"]
    ordering = ("-created_at", "-pk")
    search_help_text = "Search by words (3+ letters), by the owner's email or by ID."
    autocomplete_fields: ClassVar[Any] = ("owner",)
    actions = ["trash", "restore", "purge", "export"]
    page_actions = ["trash", "restore"]
    useless_actions: ClassVar[Mapping[str, Collection[str]]] = {
        "state=live": ["restore", "purge"],
        "state=trashed": ["trash"],
    }

    # The change list

    def get_queryset(self, request: HttpRequest) -> ObjectQuerySet:
        rows: Any = super().get_queryset(request)
        objects: ObjectQuerySet = rows.of_all_owners()
        return objects

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["__str__", self.owner_display(request), self.time_column(request)]

    def time_column(self, request: HttpRequest) -> str:
        """The time by which the selected state sorts the list."""
        return self.times_of_states.get(request.GET.get("state", ""), "created_at")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return self.kind.model.search_columns

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """An autocomplete field offers objects of one owner that are not in the trash."""
        if is_autocomplete(request):
            owner = get_user_model()(pk=parse_uuid(request.GET.get("owner", "")))
            queryset = queryset.for_user(owner).live()
        return super().get_search_results(request, queryset, search_term)

    def search(self, request: HttpRequest, rows: Any, term: str) -> QuerySet[Any]:
        if key := parse_uuid(term):
            return rows.filter(pk=key)
        if "@" in term:
            owner = get_user_model().objects.filter(email=term.lower()).first()
            if owner is not None:
                return rows.for_user(owner).latest_change_first()
        words = indexed_words(term)
        return self.search_words(rows, words) if words else reject_search(self, request, rows)

    def search_words(self, rows: Any, words: list[str]) -> QuerySet[Any]:
        for word in words:
            rows = rows.search_text(word)
        return rows

    # Actions

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        if not self.kind.has_trash:
            for name in ("trash", "restore", "purge"):
                actions.pop(name, None)
        return actions

    def perform(self, verb: str, objects: Any, values: Mapping[str, Any] | None = None) -> list[Any]:
        return perform_for_owners(self.kind, verb, objects.values_list("pk", flat=True), values)

    def count_affected(self, action: str, queryset: Any) -> dict[type[Model], int]:
        counts: Counter[type[Model]] = Counter()
        for selection, rows in by_owner(queryset.order_by()):
            selected = rows(self.kind.model).with_ids(selection.values("pk"))
            affected = [
                each.exclude(pk__in=selected) if each.model is self.model else each
                for each in self.affected(action, selected, rows)
            ]
            numbers = capped_counts(COUNT_LIMIT + 1, affected) if affected else []
            counts.update(dict(zip([each.model for each in affected], numbers, strict=True)))
        return {model: capped(count) for model, count in counts.items()}

    def affected(self, action: str, selected: Any, rows: Any) -> list[Any]:
        """The objects that change along with the selected ones, besides perhaps these themselves."""
        match action:
            case "trash":
                return [each.live() for each in contents_of(self.kind, selected.live(), rows)]
            case "restore":
                trashed = contents_of(self.kind, selected.trashed(), rows)
                return [each.trashed_with(selected) for each in trashed]
            case "purge":
                return [each.trashed() for each in contents_of(self.kind, selected.trashed(), rows)]
        return []

    @bulk_action(
        "Move to the trash",
        permission="change",
        done="moved to the trash",
        question="Move {} to the trash",
        only=OUTSIDE_TRASH,
        tone="caution",
    )
    def trash(self, request: HttpRequest, objects: Any) -> list[Any]:
        return self.perform(DELETE, objects)

    @bulk_action(
        "Restore from the trash",
        permission="change",
        done="restored from the trash",
        question="Restore {} from the trash",
        only=IN_TRASH,
    )
    def restore(self, request: HttpRequest, objects: Any) -> list[Any]:
        return self.perform(RESTORE, objects)

    @bulk_action(
        "Delete permanently",
        permission="delete",
        done="deleted permanently",
        question="Delete {} permanently",
        only=IN_TRASH,
        warning="This cannot be undone.",
        flag=DELETION,
    )
    def purge(self, request: HttpRequest, objects: Any) -> list[Any]:
        return self.perform(PURGE, objects)

    @bulk_action(
        "Export as CSV",
        permission="export",
        done="exported as CSV",
        question="Export {} as CSV",
        read_only=True,
    )
    def export(self, request: HttpRequest, objects: Any) -> StreamingHttpResponse:
        columns = ["id", "owner_id", "owner__email", *self.kind.columns[2:]]
        rows = objects.values_list(*columns).in_batches_by("id")
        return csv_response(self.kind.plural, columns, rows)

    # The page of an object

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            references = {*self.kind.model.containers(), *self.kind.links}
            names = [name for name in self.fields if name not in references]
            later = [name for name in self.fields if name in references]
            hint = f"Save and continue editing to choose {get_text_list(later, 'and')}." if later else ""
            return [(None, {"fields": ["owner", *names], "description": hint})]
        if self.has_change_permission(request, obj):
            names = [*self.fields, "seen_version", "seen_values"]
        else:
            names = [self.read_only_names.get(name, name) for name in self.fields]
        return [
            (None, {"fields": [self.owner_display(request), *names]}),
            ("System fields", {"fields": self.system_fields}),
        ]

    @property
    def system_fields(self) -> list[str]:
        return [name for name in self.kind.columns if name not in {"owner", *self.fields}]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [self.owner_display(request), *self.system_fields] if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """An object in the trash must be restored before it can be changed."""
        return super().has_change_permission(request, obj) and (obj is None or obj.deleted_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether it can be deleted permanently: it must be in the trash if its kind has one."""
        allowed = obj is None or self.kind.allows(PURGE, obj)
        return super().has_delete_permission(request, obj) and allowed

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Lock the owner's clock before the object is read for a change."""
        try:
            found = super().get_object(request, object_id, from_field)
        except MultipleObjectsReturned:
            return None  # The database is distributed, and two owners have this id. The list shows both.
        if found is not None and request.method == "POST":
            Clock.objects.lock(found.owner)
            found = super().get_object(request, object_id, from_field)
        return found

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except OperationFailed as failure:
            # Validate the form again, now with the errors.
            request.rejection = failure.error  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, *args, **kwargs)
        except PermissionDenied:
            if request.method != "POST" or object_id is None or not super().has_change_permission(request):
                raise
            # Someone else has moved it to the trash since the form was opened.
            message = f"Your changes were not saved because this {self.kind.name} is now in the trash."
            if entered := self.entered(request, object_id):
                message += f" You had entered: {entered}."
            self.message_user(request, message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def entered(self, request: HttpRequest, object_id: str) -> str:
        """What a form that cannot be saved would have changed, in words."""
        trashed = self.get_queryset(request).filter(pk=unquote(object_id)).first()
        if trashed is None:
            return ""
        form = self.get_form(request, trashed, fields=self.fields)(request.POST, instance=trashed)
        form.full_clean()
        return "; ".join(f"{pretty_name(name)}: {words}" for name, words in form.entered.items())

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in {*self.kind.model.containers()} & {*self.autocomplete_fields}:
            kwargs["widget"] = OwnersAutocomplete(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without a link to add an object: its owner could be another one."""
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in self.kind.model.containers():
            field.widget.can_add_related = field.widget.can_delete_related = False
        return field

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, *args, **kwargs)
        form.rejection = getattr(request, "rejection", None)
        return form

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the stored name in the heading, not one that was entered and not saved."""
        if kwargs.get("obj"):
            context["original"] = context["adminform"].form.stored
            context["subtitle"] = str(context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write only the changed fields. The form has compared the version, and the clock is locked."""
        fields: list[Any] = [
            self.opts.get_field(name) for name in form.changed_data if name not in {"owner", "seen_version"}
        ]
        values = {field.name: getattr(obj, field.attname) for field in fields}
        verb = UPDATE if change else CREATE
        try:
            if values or not change:
                [saved] = perform(obj.owner, [Operation(self.kind, verb, obj.pk if change else None, values)])
                obj.pk = saved.pk
        except ApiError as error:
            raise OperationFailed(error) from error

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        objects = list(objs)
        selected = self.kind.model.objects.with_ids([each.pk for each in objects])
        counts = {model_ngettext(self.opts, len(objects)): len(objects)}
        for model, count in self.count_affected("purge", selected).items():
            counts[f"{model._meta.verbose_name_plural} in it"] = count
        return [str(each) for each in objects], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        perform_for_owners(self.kind, PURGE if self.kind.has_trash else DELETE, [obj.pk])


class LatestObjects(LatestInline):
    def get_queryset(self, request: HttpRequest) -> ObjectQuerySet:
        objects: ObjectQuerySet = self.model.objects.latest_change_first()
        return objects
