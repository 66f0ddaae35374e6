"""Test settings. They ignore .env and the environment of the shell."""

import os

from environ import Env

Env.ENVIRON = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "a key for tests only, which no deployment uses for its signatures",
    "ALLOWED_HOSTS": "testserver",
    "HTTPS_ONLY": "false",
    "DATABASE_URL": "sqlite://:memory:",
    "RATE_LIMIT_USER": "off",
    "RATE_LIMIT_ANONYMOUS": "off",
}

from todo_project.settings import *  # noqa: E402, F403

# Threads of one test call as one user.
MAX_THREADS_PER_USER = 1000
SECONDS_BEFORE_TURNS = 1e9
# Without it WhiteNoise lists every static file again for each client of the tests.
WHITENOISE_AUTOREFRESH = True
