"""The roles of staff besides superusers. Each app grants permissions on its models in its roles.py."""

from dataclasses import dataclass, field

from .permissions import checked_permission


@dataclass
class Role:
    name: str
    includes: "Role | None" = None
    granted: list[str] = field(default_factory=list)

    def grant(self, *permissions: str) -> None:
        self.granted += map(checked_permission, permissions)

    @property
    def permissions(self) -> list[str]:
        inherited = self.includes.permissions if self.includes else []
        return [*inherited, *self.granted]


SUPPORT = Role("Support")
MODERATOR = Role("Moderator", includes=SUPPORT)
ROLES = [SUPPORT, MODERATOR]
