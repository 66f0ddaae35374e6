"""No route of the API is public by mistake: every route and method is tested."""

import pytest
from django.urls import get_resolver, path
from rest_framework.response import Response

from accounts.models import PersonalToken
from accounts.scopes import ACCOUNT, ALL
from accounts.tokens import digest
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, Caller
from tests.support.routes import methods_of, patterns
from todo_project.api.endpoints import endpoint
from todo_project.api.views import ApiView

pytestmark = pytest.mark.any_database

PUBLIC = {
    ("GET", "/schema"),
    ("POST", "/auth/register"),
    ("POST", "/auth/token"),
    ("POST", "/auth/token/refresh"),
    ("POST", "/auth/password/reset"),
    ("POST", "/auth/password/reset/confirm"),
}
# Takes a refresh token in the body as an alternative to the header.
WITHOUT_SCOPE = {("POST", "/auth/logout")}


ROUTES = [
    (
        method,
        "/" + route.removeprefix("api/v1/").replace("<id:id>", UNKNOWN_ID).replace("<user:user_id>", "me"),
    )
    for route, view in patterns(get_resolver().url_patterns)
    if route.startswith("api/v1/")
    for method in methods_of(view)
]
PRIVATE = [route for route in ROUTES if route not in PUBLIC]


def test_all_routes_are_found():
    assert {("GET", "/me"), ("DELETE", "/me/sessions"), ("POST", "/me/tokens")} <= set(ROUTES)
    assert set(ROUTES) >= PUBLIC


@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_without_credentials_every_route_is_401(anyone, method, path):
    response = anyone(method.lower(), path)

    assert_error(response, 401, "NOT_AUTHENTICATED")
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


def with_scopes(user, scopes):
    """A caller with a personal token of these scopes."""
    PersonalToken.objects.create(
        user=user, name="n", hash=digest("pat_x"), scopes=scopes, expires_at="2999-01-01T00:00:00Z"
    )
    return Caller("pat_x")


@pytest.mark.parametrize(("method", "path"), [route for route in PRIVATE if route not in WITHOUT_SCOPE])
def test_a_token_without_the_scope_is_403_with_the_scope_needed(alice, method, path):
    error = assert_error(with_scopes(alice, [])(method.lower(), path), 403, "INSUFFICIENT_SCOPE")

    assert error["details"]["scope"] in ALL


class ViewWithoutScope(ApiView):
    @endpoint("unscoped", "A view that declares no scope_area")
    def get(self, request):
        return Response({})


urlpatterns = [path("api/v1/open", ViewWithoutScope.as_view())]


def test_a_view_that_declares_no_scope_is_closed(as_alice, settings):
    settings.ROOT_URLCONF = __name__

    assert_error(as_alice("get", "/open"), 500, "INTERNAL_ERROR")


@pytest.mark.parametrize("scopes", [["tasks:read"], ["tasks:write"], ["tasks:read", "tasks:write"]])
def test_a_token_for_tasks_does_not_give_access_to_the_account(alice, scopes):
    error = assert_error(with_scopes(alice, scopes)("get", "/me"), 403, "INSUFFICIENT_SCOPE")

    assert error["details"] == {"scope": ACCOUNT}
    assert error["message"] == "This token does not have the scope account."
