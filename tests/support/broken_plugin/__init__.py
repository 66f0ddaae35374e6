"""An app with a misspelled name in one of its plug-in modules."""
