"""Indexes for purging expired rows of all users; the other indexes start with the user."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="personaltoken",
            index=models.Index(fields=["expires_at"], name="token_expires"),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", False)), fields=["ended_at"], name="session_ended"
            ),
        ),
    ]
