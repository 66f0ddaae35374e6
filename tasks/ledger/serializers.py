"""Request bodies for objects of every kind, and the descriptions of responses."""

from functools import cache, partial
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import ValidationError

from todo_project.api.fields import CharField, InstantField, IntegerField, UUIDField
from todo_project.api.serializers import StrictSerializer, body_example

from .fields import KindField, VerbField
from .kinds import CREATE, UPDATE, Kind, kinds
from .operations import Operation

MAX_BULK_OPERATIONS = 100


# The fields of every object. This is not a docstring because every kind's description would repeat it.
class ObjectSerializer(StrictSerializer):
    id = UUIDField(read_only=True)
    user_id = UUIDField(read_only=True, help_text="ID of the owner.")
    created_at = InstantField(read_only=True)
    updated_at = InstantField(read_only=True)
    deleted_at = InstantField(read_only=True, allow_null=True, help_text="Time it was moved to the trash.")
    version = IntegerField(read_only=True, min_value=1, help_text="The ETag without quotes.")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name in ("created_at", "updated_at", "deleted_at", "version"):
            fields[name] = fields.pop(name)
        return fields


class KeySerializer(serializers.Serializer[Any]):
    key = CharField(
        max_length=200,
        required=False,
        write_only=True,
        trim_whitespace=False,
        help_text="Your name for the object. Creating again with the same key returns the existing object. "
        "The ID is UUIDv5(`user_id`, `<kind>:<key>`).",
    )

    def validate_key(self, key: str) -> str:
        if not key.isprintable():
            raise ValidationError("Key must consist of printable characters.", code="invalid")
        return key


def renamed(serializer_class: type, kind: Kind, name: str) -> type:
    """The same class with the name of its component in the description, where {} is the kind's."""
    name = name.format(kind.serializer_class.__name__.removesuffix("Serializer"))
    return type(f"{name}Serializer", (serializer_class,), {"__doc__": None})


@cache
def new_serializer_class(kind: Kind) -> Any:
    """The serializer of a body that creates an object."""
    return renamed(type("NewSerializer", (KeySerializer, kind.serializer_class), {}), kind, "New{}")


# Shared, because run_validation() keeps no state and creating a serializer costs more than validating.


@cache
def new_body(kind: Kind) -> Any:
    return new_serializer_class(kind)()


@cache
def full_body(kind: Kind) -> Any:
    return kind.serializer_class()


@cache
def partial_body(kind: Kind) -> Any:
    return kind.serializer_class(partial=True)


NO_BODY = StrictSerializer()


@cache
def body_of(kind: Kind, verb: str) -> Any:
    """The body of a verb, besides creating and updating."""
    return kind.body_classes[verb]() if verb in kind.bodies else NO_BODY


def any_kind(name: str, serializer: Any, *others: Any, has_trash: bool = False) -> PolymorphicProxySerializer:
    """A description: the serializer that the function returns for one of the kinds, or one of the others."""
    return PolymorphicProxySerializer(
        component_name=name,
        serializers=lambda: [
            *(serializer(kind) for kind in kinds.values() if kind.has_trash or not has_trash),
            *others,
        ],
        resource_type_field_name=None,
    )


@cache
def data_serializer_class(kind: Kind) -> Any:
    """A description of `data`: what is required, and what omitted fields become, depends on the operation."""

    class DataSerializer(new_serializer_class(kind)):  # type: ignore[misc]
        def get_fields(self) -> dict[str, Any]:
            fields: dict[str, Any] = super().get_fields()
            for field in fields.values():
                field.required, field.default = False, serializers.empty
            return fields

    return renamed(DataSerializer, kind, "{}Data")


def operation_data() -> PolymorphicProxySerializer:
    """A description."""

    def serializers() -> list[Any]:
        bodies = [body for kind in kinds.values() for body in kind.body_classes.values()]
        return [*map(data_serializer_class, kinds.values()), *bodies]

    return PolymorphicProxySerializer("OperationData", serializers, resource_type_field_name=None)


@extend_schema_field(operation_data())
class DataField(serializers.DictField):
    """The fields of an object. OperationSerializer validates them, depending on the kind and operation."""

    def run_child_validation(self, data: Any) -> Any:
        return data


@body_example(
    op="update", id="0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa", data={"title": "Buy oat milk"}, if_match=17
)
class OperationSerializer(StrictSerializer):
    """One change: `create` takes `data`, `update` takes `id` and `data`, the others take `id`.

    Those whose routes take a body, such as `move`, also take `data`.
    """

    op = VerbField()
    kind = KindField(has_default=True)
    id = UUIDField(required=False, help_text="ID of the object; required except for `create`.")
    data = DataField(  # type: ignore[assignment]
        required=False,
        help_text="As in POST for `create`, as in PATCH for `update`, else as in the route of the operation.",
    )
    if_match = IntegerField(
        required=False,
        min_value=0,
        help_text="Version the object must have before this request; 0 if this request creates it.",
    )

    FIELDS_BY_OP = {CREATE: {"op", "kind", "data"}, UPDATE: {"op", "kind", "id", "data", "if_match"}}
    DEFAULT_FIELDS = {"op", "kind", "id", "if_match"}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Errors in `data` are reported for the operation itself, as operations.3.title."""
        operation: dict[str, Any] = super().to_internal_value(data)
        kind = operation["kind"] = kinds[operation["kind"]]
        if operation["op"] not in kind.bulk_verbs:
            allowed = ", ".join(kind.bulk_verbs)
            message = f"This field must be one of {allowed} for a {kind.name}."
            raise ValidationError({"op": message}, code="invalid_choice")
        fields = self.FIELDS_BY_OP.get(operation["op"], self.DEFAULT_FIELDS)
        optional = {"if_match"}
        if operation["op"] in kind.bodies:
            fields, optional = fields | {"data"}, optional | {"data"}
        if extra := sorted(operation.keys() - fields):
            raise ValidationError(
                dict.fromkeys(extra, f"This field is not allowed with {operation['op']}."), code="unknown"
            )
        if missing := sorted(fields - operation.keys() - optional):
            raise ValidationError(dict.fromkeys(missing, "This field is required."), code="required")
        if "data" in fields:
            bodies = {CREATE: new_body(kind), UPDATE: partial_body(kind)}
            body = bodies.get(operation["op"]) or body_of(kind, operation["op"])
            operation["data"] = body.run_validation(operation.get("data", {}))
        return operation


class BulkSerializer(StrictSerializer):
    operations = OperationSerializer(many=True, allow_empty=False, max_length=MAX_BULK_OPERATIONS)  # type: ignore[call-arg]

    def validate_operations(self, operations: list[dict[str, Any]]) -> list[Operation]:
        return [
            Operation(
                operation["kind"],
                operation["op"],
                operation.get("id"),
                operation.get("data", {}),
                key=operation.get("data", {}).pop("key", None),
                versions={operation["if_match"]} if "if_match" in operation else None,
                path=f"operations.{index}",
            )
            for index, operation in enumerate(operations)
        ]


def constant(value: Any) -> Any:
    """A field of a response that always has this value."""
    field = type("ConstantField", (serializers.ReadOnlyField,), {})
    return extend_schema_field({"const": value})(field)()


class TombstoneSerializer(serializers.Serializer[Any]):
    kind = KindField()
    id = UUIDField()
    version = IntegerField()
    purged = constant(True)


@cache
def entry_serializer_class(kind: Kind) -> Any:
    """The serializer of an object in a response with objects of several kinds."""
    first = type("KindSerializer", (serializers.Serializer,), {"kind": constant(kind.name)})
    return renamed(type("EntrySerializer", (first, kind.serializer_class), {}), kind, "{}Entry")


any_change = partial(any_kind, "Change", entry_serializer_class, TombstoneSerializer)


class BulkResponseSerializer(serializers.Serializer[Any]):
    results = serializers.ListField(
        child=any_change(), help_text="The object of each operation, as it is after all operations."
    )


class EmptyTrashSerializer(serializers.Serializer[Any]):
    purged = IntegerField(help_text="Number of objects deleted permanently.")


class ChangesSerializer(serializers.Serializer[Any]):
    changes = serializers.ListField(child=any_change(), help_text="Ordered by version.")
    since = serializers.CharField(help_text="Pass as `since` in the next request. Opaque.")
    has_more = serializers.BooleanField(help_text="Whether more changes are available now.")
