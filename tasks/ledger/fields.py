"""Fields whose choices are the declared kinds. They read them whenever a serializer is created."""

from typing import Any

from todo_project.api.fields import ChoiceField
from todo_project.api.parameters import FieldsField

from .kinds import kinds


class KindField(ChoiceField):
    """A kind of object. `has_default` makes it optional: then it is the first kind."""

    def __init__(self, *, has_trash: bool = False, has_default: bool = False, **options: Any) -> None:
        options.setdefault("help_text", "The kind of object.")
        names = [kind.name for kind in kinds.values() if kind.has_trash or not has_trash]
        if has_default:
            options["default"] = next(iter(names), None)
        super().__init__(choices=names, **options)


class VerbField(ChoiceField):
    """An operation of any kind."""

    def __init__(self) -> None:
        super().__init__(
            choices=[*dict.fromkeys(verb for kind in kinds.values() for verb in kind.bulk_verbs)]
        )


class AnyFieldsField(FieldsField):
    """Selects among the fields of all kinds; each object shows those that it has."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(name for kind in kinds.values() for name in kind.field_names))
