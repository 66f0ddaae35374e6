"""The admin of tasks, projects and labels."""

from .labels import LabelAdmin
from .projects import ProjectAdmin
from .tasks import TaskAdmin

__all__ = ["LabelAdmin", "ProjectAdmin", "TaskAdmin"]
