from todo_project.operations.purging import polices  # type: ignore[attr-defined] # noqa: F401
