import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class IdempotencyKey(models.Model):
    """An Idempotency-Key with the response that retries get."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(default="")
    size = models.PositiveIntegerField(default=0, help_text="Bytes of the body.")
    is_reduced = models.BooleanField(
        default=False, help_text="Whether only the IDs and versions of objects are stored."
    )
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="idempotency_key_once_per_owner")
        ]

    def __str__(self) -> str:
        return self.key


class IdempotencyUsage(models.Model):
    """The totals of an owner's stored responses, so that checking the quotas takes no count.

    Not on the owner's clock, which belongs to another app.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="idempotency_usage",
    )
    keys = models.PositiveIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes of the bodies.")

    def __str__(self) -> str:
        return f"{self.keys} keys, {self.size} bytes"
