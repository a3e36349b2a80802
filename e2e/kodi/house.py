"""One Kodi installation without Kodi: runs of the add-on that share a folder, a service and a clock."""

import re

from kodi.fake_host import FakeHost
from kodi.scripted_api import Service
from resources.lib import plugin

HOUR_S = 3600


class House:
    """Runs the add-on again and again."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.service, self.visits = folder, Service(), []
        self.now_s = 1_000_000.0
        self.settings = {}
        monkeypatch.setattr(plugin, "Api", self.service.api)
        self._monkeypatch = monkeypatch

    def host(self, **arguments):
        """The host of a run that is not started yet."""
        return FakeHost(self.folder, self.visits, self.settings, arguments, lambda: self.now_s)

    def run(self, host):
        """Runs the add-on on a host and returns the host."""
        plugin.run(host)
        return host

    def open(self, action, **arguments):
        """Opens a menu, or does an action."""
        return self.run(self.host(action=action, **arguments))

    def asked(self):
        """The operations that were asked since the last call."""
        asked, self.service.operations[:] = list(self.service.operations), []
        return asked

    def drop(self, prefix):
        """Removes entries of all users, as eviction does."""
        cache = plugin.open_cache(self.host())
        for key in [key for key in cache if key.split("/", 1)[1].startswith(prefix)]:
            cache.delete(key)
        cache.close()

    def keys(self):
        """What is stored, without the user."""
        cache = plugin.open_cache(self.host())
        try:
            return sorted(key.split("/", 1)[1] for key in cache)
        finally:
            cache.close()


def facts(host, name):
    """The facts of the [PERF] lines of a name."""
    found = [re.search(rf"\[PERF\] {name}: [0-9.]+ms \((.*)\)$", line) for line in host.logs]
    return [dict(fact.split("=", 1) for fact in line.group(1).split(", ")) for line in found if line]
