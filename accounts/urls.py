from typing import Any

from django.urls import path

from . import views

collection: Any = {"get": "list", "post": "create"}

urlpatterns = [
    path("auth/register", views.Register.as_view(), name="register"),
    path("auth/token", views.Token.as_view(), name="token"),
    path("auth/token/refresh", views.TokenRefresh.as_view(), name="token-refresh"),
    path("auth/logout", views.Logout.as_view(), name="logout"),
    path("auth/password/reset", views.PasswordReset.as_view(), name="password-reset"),
    path("auth/password/reset/confirm", views.PasswordResetConfirm.as_view(), name="password-reset-confirm"),
    path("me", views.Me.as_view(), name="me"),
    path("me/export", views.Export.as_view(), name="export"),
    path("me/password", views.Password.as_view(), name="password"),
    path("me/sessions", views.Sessions.as_view({"get": "list", "delete": "destroy_all"}), name="sessions"),
    path("me/sessions/<id:id>", views.Sessions.as_view({"delete": "destroy"}), name="session"),
    path("me/tokens", views.PersonalTokens.as_view(collection), name="personal-tokens"),
    path("me/tokens/<id:id>", views.PersonalTokens.as_view({"delete": "destroy"}), name="personal-token"),
    path("me/identities", views.Identities.as_view(collection), name="identities"),
    path("me/identities/<id:id>", views.Identities.as_view({"delete": "destroy"}), name="identity"),
]
