"""A walk with a client library: steps one after the other, and what became of each as the last line of output."""

import json
import os

URL, TOKEN = os.environ["GREENROOM_WALK_URL"], os.environ["GREENROOM_WALK_TOKEN"]
PART = os.environ.get("GREENROOM_WALK_PART", "")


def told(value):
    """A value by its length, if it has one that says something."""
    rows = value.get("Items") if isinstance(value, dict) else getattr(value, "items", None)
    if isinstance(rows, list):
        return len(rows)
    if isinstance(value, (list, tuple)):
        return value if all(isinstance(part, (int, str)) for part in value) else len(value)
    return value if isinstance(value, (bool, int, str)) else "ok"


class Walk:
    """The steps so far."""

    def __init__(self):
        self.told = {}

    def step(self, name, act):
        """One step; an error is told by its kind and status."""
        try:
            value = act()
        except Exception as error:  # Whatever a library raises is what becomes of the step.
            self.failed(name, error)
            return None
        self.told[name] = told(value)
        return value

    async def later(self, name, act):
        """One step that is awaited."""
        try:
            value = await act()
        except Exception as error:
            self.failed(name, error)
            return None
        self.told[name] = told(value)
        return value

    def failed(self, name, error):
        """A step that failed."""
        self.told[name] = f"{type(error).__name__} {getattr(error, 'status', '')}".strip()

    def end(self):
        """Says what became of the steps."""
        print(json.dumps(self.told))
