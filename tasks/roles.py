from todo_project.admin.roles import MODERATOR, SUPPORT

SUPPORT.grant("tasks.view_task")
MODERATOR.grant("tasks.change_task", "tasks.export_task")
