import unicodedata

from django.contrib.auth.hashers import Argon2PasswordHasher


def normalize(password: str) -> str:
    """The form in which a password is checked and hashed: keyboards write some characters differently."""
    return unicodedata.normalize("NFKC", password)


class Argon2id(Argon2PasswordHasher):
    """With OWASP's minimum parameters. Django's defaults take 100 MiB of memory for each login."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return super().encode(normalize(password), salt)

    def verify(self, password: str, encoded: str) -> bool:
        return super().verify(normalize(password), encoded)
