from todo_project.admin.roles import SUPPORT

SUPPORT.grant(
    "accounts.view_user",
    "accounts.view_session",
    "accounts.view_personaltoken",
    "accounts.view_identity",
    "accounts.view_failedlogin",
    "accounts.end_session",
    "accounts.revoke_personaltoken",
)
