"""How passwords are kept."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2id(Argon2PasswordHasher):
    """At OWASP's minimum. Django's own parameters take 100 MiB for each login that runs."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
