"""The SQL in the operations guide does what the guide says."""

import re

from django.conf import settings
from django.db import connection

from accounts.models import Session

RUNBOOK = (settings.BASE_DIR / "docs" / "operations.md").read_text()


def test_the_sql_statement_ends_every_session(as_alice):
    [statement] = re.findall(r"`(UPDATE accounts_session .*?;)`", RUNBOOK)
    before = as_alice("get", "/me").status_code

    with connection.cursor() as cursor:
        cursor.execute(statement)

    assert before == 200
    assert as_alice("get", "/me").status_code == 401
    assert not Session.objects.filter(ended_at__isnull=True).exists()
