"""Errors of authentication and authorization."""

from todo_project.api.errors import Forbidden, NotAuthenticated, RateLimited, ValidationFailed


class InvalidToken(NotAuthenticated):
    default_code = "INVALID_TOKEN"
    default_detail = "This token is invalid or has been revoked. Refresh it or sign in again."
    default_headers = {"WWW-Authenticate": 'Bearer realm="api", error="invalid_token"'}


class TokenExpired(InvalidToken):
    default_code = "TOKEN_EXPIRED"
    default_detail = "This token has expired. Refresh it or sign in again."


class InvalidCredentials(NotAuthenticated):
    default_code = "INVALID_CREDENTIALS"
    default_detail = "The email or the password is incorrect, or the account is not active."
    commits_on_error = True  # the count of failures


class PasswordHasChanged(InvalidCredentials):
    """While it was being hashed. The error is the same, but nothing that the request wrote is committed."""

    commits_on_error = False


class TooManyAttempts(RateLimited):
    default_code = "TOO_MANY_ATTEMPTS"
    default_detail = "Too many wrong passwords. Try again after the delay in Retry-After."


class WrongPassword(ValidationFailed):
    """The password that a signed-in user was asked for is wrong."""

    commits_on_error = True  # the count of failures


class TokenReused(NotAuthenticated):
    default_code = "TOKEN_REUSED"
    default_detail = "This refresh token was already used. Use the newest one or sign in again."
    commits_on_error = True  # the end of the session


class InsufficientScope(Forbidden):
    default_code = "INSUFFICIENT_SCOPE"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This token does not have the scope {scope}.", details={"scope": scope})
