"""The libraries that a running Greenroom keeps an index of."""

from __future__ import annotations

from typing import Any, Dict, List

from .client import Client
from .problem import Problem


def libraries(client: Client) -> List[Dict[str, Any]]:
    """Return each library with its `id`, `title`, `state`, `items`, `generation` and more. Raises Problem."""
    found = client.call("GET", "/api/v1/libraries").get("libraries")
    if not isinstance(found, list):
        raise Problem("not-an-answer", "the answer has no libraries", 200)
    return found
