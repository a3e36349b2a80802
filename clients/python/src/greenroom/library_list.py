"""The libraries that a running Greenroom keeps an index of."""

from __future__ import annotations

from typing import Any, Dict, List

from .client import Client


def libraries(client: Client) -> List[Dict[str, Any]]:
    """Return each library with its `id`, `title`, `state`, `items`, `generation` and more. Raises Problem."""
    found: List[Dict[str, Any]] = client.call("GET", "/api/v1/libraries")["libraries"]
    return found
