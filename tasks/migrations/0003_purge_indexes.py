"""Old trash is looked for over all owners; the other indexes begin with one."""

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
