"""ISO 8601 date formats for the admin, instead of Django's American ones (see FORMAT_MODULE_PATH)."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i e"
