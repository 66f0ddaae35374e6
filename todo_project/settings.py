"""Settings. Environment variables are read by config/env.py and listed in README."""

import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

import todo_project

from .config import database, env, issuers, mail, monitoring

VERSION = todo_project.__version__
BASE_DIR = Path(__file__).resolve().parent.parent
env.read_file()

# General

DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.text(
    "SECRET_KEY",
    min_length=50,
    hint="Create one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
)
SECRET_KEY_FALLBACKS = env.listing("SECRET_KEY_FALLBACKS")

# Hosts and gunicorn

ALLOWED_HOSTS = env.listing("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
if not DEBUG and (not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS):
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS must list the server's host names, such as api.example.com, and must not contain '*'."
    )
CSRF_TRUSTED_ORIGINS = env.listing("CSRF_TRUSTED_ORIGINS")
PORT = env.integer("PORT", default=8000, low=1, high=65535)
WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", default=1 if DEBUG else 2, low=1, high=64)
WEB_THREADS = env.integer("WEB_THREADS", default=4, low=1, high=64)

MAX_THREADS_PER_USER = max(1, WEB_THREADS // 2)
# Of a thread's time that one user may save up, before their requests take turns.
SECONDS_BEFORE_TURNS = 0.5

# HTTPS. gunicorn serves HTTP behind a proxy that terminates TLS.

HTTPS_ONLY = env.boolean("HTTPS_ONLY", default=not DEBUG)
TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", default=0, low=0, high=5)
if HTTPS_ONLY and not TRUSTED_PROXY_COUNT:
    raise ImproperlyConfigured(
        "TRUSTED_PROXY_COUNT is 0, but HTTPS_ONLY needs a proxy that terminates TLS: without one, every "
        "request is redirected forever. Set it to the number of proxies, or set HTTPS_ONLY=false."
    )
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
if TRUSTED_PROXIES and not TRUSTED_PROXY_COUNT:
    raise ImproperlyConfigured(
        "TRUSTED_PROXIES lists proxies, but TRUSTED_PROXY_COUNT is 0; set it to the number of proxies."
    )
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = HTTPS_ONLY
HSTS_SECONDS = env.integer("HSTS_SECONDS", default=31_536_000, low=0, high=99_999_999)
SECURE_HSTS_SECONDS = HSTS_SECONDS if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY

# Monitoring

METRICS_TOKEN = env.text(
    "METRICS_TOKEN",
    default="",
    min_length=32,
    hint="Create one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
)
SENTRY_DSN = env.text("SENTRY_DSN", default="")
if SENTRY_DSN:
    monitoring.check_sentry(SENTRY_DSN)
OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
if OTEL_EXPORTER_OTLP_ENDPOINT:
    monitoring.check_tracing(OTEL_EXPORTER_OTLP_ENDPOINT)

# Applications, middleware and templates

ROOT_URLCONF = "todo_project.urls"
WSGI_APPLICATION = "todo_project.wsgi.application"
INSTALLED_APPS = [
    "todo_project",
    "accounts",
    "tasks.ledger",
    "tasks",
    "accounts.apps.StaffSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
]
STAFF_SECOND_FACTOR = env.boolean("STAFF_SECOND_FACTOR", default=False)
MIDDLEWARE = [
    "todo_project.api.request_log.RequestLogMiddleware",
    *(["todo_project.server.metrics.MetricsMiddleware"] if METRICS_TOKEN else []),
    *(["todo_project.server.tracing.TracingMiddleware"] if OTEL_EXPORTER_OTLP_ENDPOINT else []),
    "todo_project.api.compression.CompressionMiddleware",
    "todo_project.api.cors.CorsMiddleware",
    "todo_project.api.error_handling.ErrorShapeMiddleware",
    "todo_project.server.probes.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "todo_project.api.paths.ApiMiddleware",
    # Only for pages:
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "todo_project.pages.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    *(["django_otp.middleware.OTPMiddleware"] if STAFF_SECOND_FACTOR else []),
    "django.contrib.messages.middleware.MessageMiddleware",
]
OTP_TOTP_ISSUER = "Todo API"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Database and cache

DATABASE_URL = env.text(
    "DATABASE_URL",
    default="sqlite:///db.sqlite3" if DEBUG else None,
    hint="Set it to the pooled URL of your Neon database, or on purpose to sqlite:///db.sqlite3.",
)
DATABASE_URL_UNPOOLED = env.text("DATABASE_URL_UNPOOLED", default="")
DATABASE_REPLICA_URL = env.text("DATABASE_REPLICA_URL", default="")
DATABASE_ENDPOINT = env.choice("DATABASE_ENDPOINT", ("pooled", "direct"), default="pooled")
DATABASE_POOLER = env.boolean("DATABASE_POOLER", default=False)
_configure = partial(database.configure, base_dir=BASE_DIR)
DATABASE_ENDPOINTS = {"pooled": _configure(DATABASE_URL, variable="DATABASE_URL", pooler=DATABASE_POOLER)}
if DATABASE_URL_UNPOOLED:
    DATABASE_ENDPOINTS["direct"] = _configure(
        DATABASE_URL_UNPOOLED, variable="DATABASE_URL_UNPOOLED", direct=True
    )
DATABASES = {"default": DATABASE_ENDPOINTS.get(DATABASE_ENDPOINT, DATABASE_ENDPOINTS["pooled"])}
DATABASE_REPLICA = (
    database.configure_replica(
        DATABASE_REPLICA_URL,
        primaries=DATABASE_ENDPOINTS.values(),
        base_dir=BASE_DIR,
        variable="DATABASE_REPLICA_URL",
        pooler=DATABASE_POOLER,
    )
    if DATABASE_REPLICA_URL
    else None
)
if DATABASE_REPLICA and DATABASE_ENDPOINT == "pooled":  # Not in commands.
    DATABASES["replica"] = DATABASE_REPLICA
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHE_URL = env.text("CACHE_URL", default="")
if CACHE_URL and not CACHE_URL.startswith(("redis://", "rediss://")):
    raise ImproperlyConfigured(
        "CACHE_URL must start with redis:// or rediss://, or be empty for a separate cache in each process."
    )
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
    if CACHE_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # With the default of 300 entries, many clients would evict each other's rate limit counters.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# Authentication and accounts

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.hashers.Argon2id", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "accounts.validators.NormalizedValidator",
        "OPTIONS": {"validator": f"django.contrib.auth.password_validation.{name}", **options},
    }
    for name, options in {
        "UserAttributeSimilarityValidator": {"user_attributes": ["email", "name"]},
        "MinimumLengthValidator": {},
        "CommonPasswordValidator": {},
        "NumericPasswordValidator": {},
    }.items()
] + [{"NAME": "accounts.validators.NotBlankValidator"}]
AUTHENTICATION_BACKENDS = ["accounts.backends.GuardedBackend"]
LOGOUT_REDIRECT_URL = "admin:login"
REGISTRATION_OPEN = env.boolean("REGISTRATION_OPEN", default=True)
ACCESS_TOKEN_LIFETIME = env.minutes("ACCESS_TOKEN_MINUTES", default=15, high=24 * 60)
REFRESH_TOKEN_LIFETIME = env.minutes("REFRESH_TOKEN_MINUTES", default=30 * 24 * 60, high=366 * 24 * 60)
TRUSTED_ISSUERS = issuers.parse(env.text("TRUSTED_ISSUERS", default=""))
PASSWORD_RESET_TIMEOUT = 3600
PASSWORD_RESET_URL = env.text("PASSWORD_RESET_URL", default="")
if PASSWORD_RESET_URL and "{token}" not in PASSWORD_RESET_URL:
    raise ImproperlyConfigured(
        "PASSWORD_RESET_URL must contain {token}, such as https://app.example.com/reset#{token}."
    )
RATE_LIMIT_USER = env.rate("RATE_LIMIT_USER", default="600/minute")
RATE_LIMIT_ANONYMOUS = env.rate("RATE_LIMIT_ANONYMOUS", default="60/minute")

# Quotas of each user

QUOTA_TASKS = env.integer("QUOTA_TASKS", default=100_000, low=1, high=100_000_000)
QUOTA_PROJECTS = env.integer("QUOTA_PROJECTS", default=500, low=1, high=100_000)
QUOTA_LABELS = env.integer("QUOTA_LABELS", default=500, low=1, high=100_000)
QUOTA_LABELS_PER_TASK = env.integer("QUOTA_LABELS_PER_TASK", default=50, low=1, high=1_000)
QUOTA_PERSONAL_TOKENS = env.integer("QUOTA_PERSONAL_TOKENS", default=50, low=1, high=10_000)
QUOTA_SESSIONS = env.integer("QUOTA_SESSIONS", default=100, low=1, high=10_000)
QUOTA_IDEMPOTENCY_KEYS = env.integer("QUOTA_IDEMPOTENCY_KEYS", default=10_000, low=1, high=1_000_000)
QUOTA_STORED_RESPONSES_MB = env.integer("QUOTA_STORED_RESPONSES_MB", default=16, low=1, high=1000)
QUOTA_STORED_RESPONSES = QUOTA_STORED_RESPONSES_MB * 1024 * 1024

# Email

EMAIL_URL = env.text("EMAIL_URL", default="")
vars().update(mail.configure(EMAIL_URL, debug=DEBUG))  # sets EMAIL_BACKEND, EMAIL_HOST etc.
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", default="todo@localhost")

# CORS. Front-ends on other origins authenticate with a token in a header, never with a cookie.

CORS_ALLOWED_ORIGINS = env.listing("CORS_ALLOWED_ORIGINS")
for _origin in CORS_ALLOWED_ORIGINS:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-]+(:[0-9]+)?", _origin):
        raise ImproperlyConfigured(
            f"CORS_ALLOWED_ORIGINS must list origins such as https://app.example.com, without a path; "
            f"{_origin!r} is not one."
        )
# Front-ends in development run on any port of the developer's own machine.
LOCAL_ORIGIN = r"\Ahttp://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?\Z"
CORS_ALLOWED_ORIGIN_REGEXES = [LOCAL_ORIGIN] if DEBUG else []
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = (
    *default_headers, "idempotency-key", "if-match", "if-none-match", "x-request-id",
    # Sent by tracing libraries and by fetch(…, {cache: "no-cache"}).
    "traceparent", "tracestate", "baggage", "sentry-trace", "cache-control",
)  # fmt: skip
CORS_EXPOSE_HEADERS = (
    "ETag", "Location", "Content-Disposition", "Retry-After", "WWW-Authenticate", "X-Request-ID",
    "Idempotent-Replayed", "Dry-Run", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
)  # fmt: skip

# REST API

# Enough for a bulk request with 100 tasks of maximum length in UTF-8.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["todo_project.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["todo_project.api.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.scopes.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["todo_project.api.throttling.RequestThrottle"],
    "DEFAULT_SCHEMA_CLASS": "todo_project.api.schema.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "todo_project.api.error_handling.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Todo API",
    "VERSION": VERSION,
    "DESCRIPTION": "A multi-user to-do backend. Every error has one shape; see the schema `Error`. "
    "The routes of your objects also exist under `/api/v1/users/{user_id}/`, with your own ID or `me`. "
    "To a token without the scope `tasks:read`, writes show only `kind`, `id` and `version` of an object.\n\n"
    "Guides: [signing in](/docs/signing-in.md), [tasks by example](/docs/tasks.md), "
    "[projects, subtasks and labels](/docs/projects.md), [repeating tasks](/docs/repeating-tasks.md), "
    "[offline clients](/docs/offline-clients.md), [generated clients](/docs/clients.md), "
    "[errors](/docs/errors.md), [personal access tokens](/docs/personal-access-tokens.md), "
    "[identity providers](/docs/identity-providers.md)",
    "LICENSE": {"name": "MIT License", "identifier": "MIT"},
    "SERVERS": [{"url": "/", "description": "This server"}],
    "OAS_VERSION": "3.1.0",
    "SORT_OPERATIONS": False,
    "TAGS": [
        {"name": "auth", "description": "Register, sign in and out, refresh tokens, reset a password"},
        {"name": "me", "description": "Your profile, sessions, personal access tokens and identities"},
        {"name": "tasks", "description": "Create, list and change tasks"},
        {"name": "projects", "description": "Lists of tasks, which can be nested"},
        {"name": "labels", "description": "Names to mark tasks with"},
        {"name": "bulk", "description": "Up to 100 changes in one request, all or nothing"},
        {"name": "trash", "description": "Restore deleted objects, or delete them permanently"},
        {"name": "sync", "description": "All changes since a position, for clients that keep a copy"},
        {"name": "meta", "description": "The version of the server, and this description"},
    ],
    "PREPROCESSING_HOOKS": ["todo_project.api.schema.select_endpoints"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": True,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "PATH_CONVERTER_OVERRIDES": {
        "id": {"type": "string", "format": "uuid"},
        "user": {"type": "string", "description": "Your own id, or `me`."},
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "todo_project.api.schema.add_components",
        "todo_project.api.links.add_links",
        "todo_project.api.examples.add_examples",
    ],
}

# Static files and formats

STATIC_URL = "/static/"
# A folder for each version, so that after an upgrade without collectstatic no old file is served.
STATIC_ROOT = BASE_DIR / "staticfiles" / VERSION
STORAGES = {"staticfiles": {"BACKEND": "todo_project.server.static_files.StaticFilesStorage"}}
# Without collectstatic, serve static files from the packages.
WHITENOISE_USE_FINDERS = True
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
warnings.filterwarnings("ignore", "No directory at: ")
USE_I18N = False
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "todo_project.formats"

# Logging

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "todo_project.api.request_log.RequestIdFilter"},
        "stack": {"()": "todo_project.api.request_log.StackFilter"},
        "slow_clients": {"()": "todo_project.api.request_log.SlowClientFilter"},
    },
    "formatters": {
        "json": {"()": "todo_project.api.request_log.JSONFormatter"},
        "readable": {
            "()": "todo_project.api.request_log.ReadableFormatter",
            "format": "%(asctime)s %(levelname)-7s %(message)s",
            "datefmt": "%H:%M:%S",
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "filters": ["request_id"],
            "formatter": "readable" if DEBUG else "json",
        }
    },
    "root": {
        "handlers": ["console"],
        "level": env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), default="INFO"),
    },
    "loggers": {
        # Its warnings duplicate the request log and contain URLs.
        "django.request": {"level": "ERROR", "filters": ["stack"]},
        # Its messages contain the Host header, so scanners could fill the log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django": {"handlers": [], "propagate": True},
        # Its warnings are about the omitted body of HEAD responses.
        "gunicorn.http.wsgi": {"level": "ERROR"},
        "gunicorn.error": {"handlers": [], "propagate": True, "filters": ["slow_clients"]},
    },
}
