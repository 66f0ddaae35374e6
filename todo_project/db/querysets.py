from collections.abc import Iterator
from typing import Any, ClassVar, Self

from django.db import models


class OwnedQuerySet(models.QuerySet[Any]):
    owner_field: ClassVar[str] = "owner"

    def for_user(self, user: Any) -> Self:
        """The only filter by owner. A row outside it does not exist for this user."""
        return self.filter(**{self.owner_field: user.pk})


def key_batches(rows: models.QuerySet[Any], size: int) -> Iterator[list[Any]]:
    """The primary keys of these rows in ascending order, each batch in one query."""
    keys = rows.order_by("pk").values_list("pk", flat=True)
    batch = list(keys[:size])
    while batch:
        yield batch
        batch = list(keys.filter(pk__gt=batch[-1])[:size])


def owners_with_rows(rows: models.QuerySet[Any], size: int) -> Iterator[Any]:
    """The ids of the rows' owners, until there are none. The caller deletes the rows of each."""
    while owners := set(rows.values_list("owner", flat=True)[:size]):
        yield from sorted(owners)
