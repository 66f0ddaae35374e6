"""The page on which staff set up a second factor."""

import re
from base64 import b32decode
from typing import Any

from django_otp.oath import totp

from .caller import PASSWORD
from .client import Client

PAGE = "/admin/second_factor/"


def secret_on(page: Any) -> str:
    [secret] = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.content.decode())
    return str(secret).replace(" ", "")


def code_on(page: Any) -> str:
    """The code that an app shows now that was given the key on the page."""
    return f"{totp(b32decode(secret_on(page))):06}"


def set_up(client: Client, **changes: str) -> Any:
    form = {"code": code_on(client.get(PAGE)), "password": PASSWORD, **changes}
    return client.post(PAGE, form)


def recovery_codes_on(page: Any) -> list[str]:
    return re.findall(r"<li>([a-z2-7]{4}-[a-z2-7]{4})</li>", page.content.decode())
