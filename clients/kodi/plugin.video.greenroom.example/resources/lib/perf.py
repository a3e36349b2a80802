"""`[PERF]` lines in Kodi's log."""

from __future__ import annotations

from .host import Host


class PerformanceLog:
    """Logs how long the parts of a run took, if that is wanted."""

    def __init__(self, host: Host, enabled: bool) -> None:
        self._host, self._enabled = host, enabled

    def line(self, name: str, began: float, **facts: object) -> None:
        """Log that `name`, which began at `began`, ended now."""
        if self._enabled:
            took_ms = (self._host.clock() - began) * 1000
            told = ", ".join(f"{fact}={value}" for fact, value in facts.items())
            self._host.log(f"[PERF] {name}: {took_ms:.1f}ms ({told})")


class Slices:
    """Cuts work after a menu into slices, because the next menu needs the interpreter lock."""

    SLICE_S = 0.001

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ends = host.clock() + self.SLICE_S

    def step(self) -> None:
        """Let others run if this slice is over. To be called between small pieces of work."""
        if self._host.clock() >= self._ends:
            self._host.breathe()
            self._ends = self._host.clock() + self.SLICE_S
