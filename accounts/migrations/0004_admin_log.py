"""Indexes of the admin's history by object and by user."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_admin_lists"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX admin_log_about ON django_admin_log (content_type_id, object_id)",
            "DROP INDEX admin_log_about",
        ),
        migrations.RunSQL(
            "CREATE INDEX admin_log_by ON django_admin_log (user_id, action_time)",
            "DROP INDEX admin_log_by",
        ),
    ]
