"""Index for purging the trash of all owners; the other indexes start with the owner."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0002_search"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                fields=["deleted_at", "id"],
                name="task_trash",
                condition=models.Q(("deleted_at__isnull", False)),
            ),
        ),
    ]
