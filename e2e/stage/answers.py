"""What came back over the wire while a client did its work: the client itself never shows it."""

import re


class Answers:
    """Listens to a client's `requests` session."""

    def __init__(self, session):
        self.all = []
        session.hooks["response"].append(self._note)

    def _note(self, response, **_):
        self.all.append(response)

    @property
    def last(self):
        """The latest answer."""
        return self.all[-1]

    def last_was_kept(self):
        """Whether the latest answer came from the cache."""
        return "; hit" in self.last.headers.get("Cache-Status", "")

    def last_stays_for(self):
        """For how many more seconds the latest answer is kept as fresh."""
        found = re.search(r"ttl=(-?[0-9]+)", self.last.headers.get("Cache-Status", ""))
        return int(found[1]) if found else 0

    def kept(self, read):
        """Reads until the answer comes from the cache, at most three times, and returns what was read."""
        for _ in range(3):
            value = read()
            if self.last_was_kept():
                return value
        status = self.last.headers.get("Cache-Status")
        raise AssertionError(f"never from the cache: {self.last.request.path_url}, Cache-Status: {status}")
