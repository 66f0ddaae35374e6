"""Indexes that Django's models cannot declare: for searching users, and for the admin's history.

The expressions of the search index match the SQL that Django generates for `icontains` on PostgreSQL.
"""

from django.db import migrations

from todo_project.db.migrations import RunPostgreSQL

FORWARD = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX user_search ON accounts_user
USING gin (UPPER(email::text) gin_trgm_ops, UPPER(name::text) gin_trgm_ops);
"""
# The extension is kept, because other applications of the database may use it.
BACKWARD = "DROP INDEX user_search;"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        RunPostgreSQL(FORWARD, BACKWARD),
        migrations.RunSQL(
            "CREATE INDEX admin_log_about ON django_admin_log (content_type_id, object_id)",
            "DROP INDEX admin_log_about",
        ),
        migrations.RunSQL(
            "CREATE INDEX admin_log_by ON django_admin_log (user_id, action_time)",
            "DROP INDEX admin_log_by",
        ),
    ]
