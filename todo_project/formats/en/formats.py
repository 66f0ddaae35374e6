"""How the pages write a date. Django looks for it here, and would take America's way otherwise."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i e"
