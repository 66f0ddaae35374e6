from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2id(Argon2PasswordHasher):
    """With OWASP's minimum parameters. Django's defaults take 100 MiB of memory for each login."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
