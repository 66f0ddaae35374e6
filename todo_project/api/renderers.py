from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer

from .encoder import dumps


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Bytes, such as the stored response to an Idempotency-Key, are sent unchanged."""
        if data is None:
            return b""
        return data if isinstance(data, bytes) else dumps(data)
