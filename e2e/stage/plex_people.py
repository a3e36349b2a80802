"""People of the simulated Plex server, each with the real client `PlexAPI`."""

import os

# Before the client is imported: it must not read what this machine's user has configured for it.
os.environ["PLEXAPI_CONFIG_PATH"] = os.devnull

import requests
from plexapi.server import PlexServer

from .answers import Answers

TOKENS = {"olga": "plx-owner-a", "olga too": "plx-owner-b", "sam": "plx-sam", "kim": "plx-kim"}
TIMEOUT_S = 20


class Person:
    """A user at the server or at a gateway in front of it."""

    def __init__(self, name, at):
        self.token = TOKENS[name]
        if hasattr(at, "knows"):
            at.knows(self.token)
        session = requests.Session()
        self.answers = Answers(session)
        self.plex = PlexServer(at.url, token=self.token, session=session, timeout=TIMEOUT_S)

    def item(self, rating_key):
        """An item as the server shows it now."""
        return self.plex.fetchItem(int(rating_key))

    def kept(self, read):
        """What `read` gives, once it comes from the cache."""
        return self.answers.kept(read)
