"""Form fields and widgets that tolerate the quirks of browsers, and crafted requests."""

import re
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError


class SingleLineField(forms.CharField):
    """Text in an <input>. The browser drops the line breaks in a stored value; that is not a change."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        shown = re.sub(r"[\r\n]", "", initial or "")
        return super().has_changed(initial, data) and super().has_changed(self.to_python(shown), data)


class MultiLineField(forms.CharField):
    """Text in a <textarea>. The browser sends each line break as CRLF; that is not a change."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class ValidatedAutocomplete(AutocompleteSelect):
    """Skips invalid keys when it renders a form again; Django would look them up in the database."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        return super().optgroups(name, [key for key in value if self._is_valid_key(key)], attrs)

    def _is_valid_key(self, key: str) -> bool:
        try:
            self.field.target_field.to_python(key)
        except ValidationError:
            return False
        return True


class OwnersAutocomplete(ValidatedAutocomplete):
    """Offers the rows of one owner, whom the form field names."""

    def get_url(self) -> str:
        return f"{super().get_url()}?{urlencode({'owner': self.choices.field.owner.pk})}"
