from typing import Any, ClassVar, Self

from django.db import models


class OwnedQuerySet(models.QuerySet[Any]):
    owner_field: ClassVar[str] = "owner"

    def for_user(self, user: Any) -> Self:
        """The only filter by owner. A row outside it does not exist for this user."""
        return self.filter(**{self.owner_field: user.pk})
