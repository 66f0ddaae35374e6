from todo_project.admin.roles import MODERATOR, SUPPORT

for model in ("task", "project", "label"):
    SUPPORT.grant(f"tasks.view_{model}")
    MODERATOR.grant(f"tasks.change_{model}", f"tasks.export_{model}")
