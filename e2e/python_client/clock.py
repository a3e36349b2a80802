"""A clock that stands still until it is moved."""


class Clock:
    """Seconds since 1970."""

    def __init__(self, now=1_800_000_000.0):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, seconds):
        """Moves on; also stands for waiting."""
        self.now += seconds
