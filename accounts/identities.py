"""Identities at identity providers: verifying tokens, creating accounts, linking and unlinking."""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from todo_project.api.errors import Conflict, Forbidden, NotAuthenticated, ValidationFailed
from todo_project.db.errors import violates

from . import jwks, tokens
from .errors import InvalidToken
from .models import ErasedIdentity, Identity, User
from .querysets import IdentityQuerySet


def verify(token: str) -> dict[str, Any]:
    """The verified claims of an identity provider's token. An unknown issuer causes no network request."""
    header, unverified = tokens.peek(token)
    name = unverified.get("iss")
    issuer = settings.TRUSTED_ISSUERS.get(name) if isinstance(name, str) else None
    if issuer is None or header.get("alg") not in issuer.algorithms:
        raise InvalidToken
    claims = tokens.read_external_token(token, issuer, jwks.key_for(issuer, header))
    if claims.get("banned") is True:
        raise Forbidden("Your identity provider has banned this account.")
    return claims


def refuse_if_erased(claims: dict[str, Any]) -> None:
    """Raise InvalidToken if the account of this identity was erased after the token was issued."""
    erased = ErasedIdentity.objects.of(issuer=claims["iss"], subject=claims["sub"]).first()
    if erased and claims["iat"] <= erased.erased_at.timestamp() + tokens.LEEWAY:
        raise InvalidToken("This account was deleted. Sign in at your identity provider for a new one.")


def create_user_for(claims: dict[str, Any]) -> None:
    """Create an account for a new identity, unless a parallel request has just created it."""
    refuse_if_erased(claims)
    try:
        with transaction.atomic():
            user = User.objects.create_user(None, name=text_claim(claims, "name", max_length=150))
            Identity.objects.create(user=user, **columns(claims))
    except IntegrityError as error:
        if not violates(error, "identity_once"):
            raise


def verify_in_body(token: str) -> dict[str, Any]:
    try:
        claims = verify(token)
        refuse_if_erased(claims)
        return claims
    except NotAuthenticated as error:
        # 400 instead of 401: the caller is signed in, and the body is wrong.
        raise ValidationFailed.of(
            "token", "invalid", "The token is invalid or was not issued by a trusted identity provider."
        ) from error


def link(identities: IdentityQuerySet, user: User, claims: dict[str, Any]) -> tuple[Identity, bool]:
    """Get or create the user's identity; also returns whether it is new."""
    # The unique constraint refuses an identity that belongs to another account.
    return identities.get_or_create(
        issuer=claims["iss"], subject=claims["sub"], defaults={"user": user, **columns(claims)}
    )


def unlink(identities: IdentityQuerySet, user: User, identity: Identity) -> None:
    if not user.has_usable_password() and not identities.exclude(pk=identity.pk).exists():
        raise Conflict("This identity is the only way to sign in to your account.")
    identity.delete()


def columns(claims: dict[str, Any]) -> dict[str, str]:
    email = text_claim(claims, "email", max_length=254)
    return {"issuer": claims["iss"], "subject": claims["sub"], "email": email}


def text_claim(claims: dict[str, Any], name: str, *, max_length: int) -> str:
    value = claims.get(name)
    return value[:max_length] if isinstance(value, str) and tokens.is_storable(value) else ""
