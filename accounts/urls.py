from typing import Any

from django.urls import path

from .views.credentials import IdentityViewSet, PersonalTokenViewSet, SessionViewSet
from .views.profile import ExportView, PasswordView, ProfileView
from .views.sign_in import (
    LogoutView,
    PasswordResetConfirmView,
    PasswordResetView,
    RegisterView,
    TokenRefreshView,
    TokenView,
)

collection: Any = {"get": "list", "post": "create"}
detail: Any = {"delete": "destroy"}

urlpatterns = [
    path("auth/register", RegisterView.as_view(), name="register"),
    path("auth/token", TokenView.as_view(), name="token"),
    path("auth/token/refresh", TokenRefreshView.as_view(), name="token-refresh"),
    path("auth/logout", LogoutView.as_view(), name="logout"),
    path("auth/password/reset", PasswordResetView.as_view(), name="password-reset"),
    path("auth/password/reset/confirm", PasswordResetConfirmView.as_view(), name="password-reset-confirm"),
    path("me", ProfileView.as_view(), name="me"),
    path("me/export", ExportView.as_view(), name="export"),
    path("me/password", PasswordView.as_view(), name="password"),
    path("me/sessions", SessionViewSet.as_view({"get": "list", "delete": "destroy_all"}), name="sessions"),
    path("me/sessions/<id:id>", SessionViewSet.as_view(detail), name="session"),
    path("me/tokens", PersonalTokenViewSet.as_view(collection), name="personal-tokens"),
    path("me/tokens/<id:id>", PersonalTokenViewSet.as_view(detail), name="personal-token"),
    path("me/identities", IdentityViewSet.as_view(collection), name="identities"),
    path("me/identities/<id:id>", IdentityViewSet.as_view(detail), name="identity"),
]
