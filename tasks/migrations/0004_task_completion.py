from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks", "0003_purge_indexes")]

    operations = [
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("completed_at__isnull", False)),
                fields=["completed_at"],
                name="task_completion",
            ),
        ),
    ]
