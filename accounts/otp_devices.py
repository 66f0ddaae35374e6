"""The second factor of a staff member: an authenticator app, and recovery codes."""

import time
from base64 import b32encode

import segno
from django.utils.safestring import SafeString, mark_safe
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from .models import User

RECOVERY_CODES = 10


def new_app(user: User, key: str) -> TOTPDevice:
    """Not saved yet. The key is in hexadecimal digits."""
    return TOTPDevice(user=user, name="app", key=key)


def accept_code(app: TOTPDevice, code: str) -> bool:
    """Whether the app shows this code now. It is then used up."""
    totp = TOTP(app.bin_key, app.step, app.t0, app.digits, app.drift)
    totp.time = time.time()
    if not (code.isdecimal() and totp.verify(int(code), app.tolerance)):
        return False
    app.last_t = totp.t()
    return True


def replace(user: User, app: TOTPDevice) -> list[str]:
    """Save the app in place of earlier ones, and return new recovery codes. Needs a transaction."""
    remove(user)
    app.save()
    recovery = StaticDevice.objects.create(user=user, name="recovery codes")
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=recovery, token=code) for code in codes)
    return [f"{code[:4]}-{code[4:]}" for code in codes]


def remove(user: User) -> None:
    User.objects.select_for_update().get(pk=user.pk)  # Otherwise, two requests would leave two devices.
    for model in (TOTPDevice, StaticDevice):
        model.objects.filter(user=user).delete()


def qr_code(app: TOTPDevice) -> SafeString:
    """An SVG that the app scans. Black on white in a dark page, too."""
    image = segno.make_qr(app.config_url, error="m")
    return mark_safe(image.svg_inline(scale=5, light="#fff", svgclass="qr-code"))  # noqa: S308 (no user's text)


def secret(app: TOTPDevice) -> str:
    """For an app that cannot scan."""
    text = b32encode(app.bin_key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))
