"""Refusals of the API."""

from __future__ import annotations

import json
from typing import Any, Dict, Optional


class Problem(Exception):
    """A request that failed.

    `code` is the API's stable code (`unknown-server`), or `unreachable` if there was no answer, or `not-an-answer` if
    it was none of Greenroom's. `status` is the HTTP status, 0 without an answer. `retry_after_s` says when to ask
    again.
    """

    def __init__(self, code: str, detail: str, status: int = 0, retry_after_s: Optional[float] = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.status, self.retry_after_s = code, detail, status, retry_after_s

    @classmethod
    def of(cls, status: int, body: bytes, retry_after: Optional[str]) -> "Problem":
        """Return the problem of an answer."""
        try:
            told: Any = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        fields: Dict[str, Any] = told if isinstance(told, dict) else {}
        after_s = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
        detail = str(fields.get("detail") or f"answered with {status}")
        return cls(str(fields.get("code") or "not-an-answer"), detail, status, after_s)
