"""People of the simulated Jellyfin server, each with the real client `jellyfin-apiclient-python`."""

import logging
import queue

from jellyfin_apiclient_python import JellyfinClient

from .answers import Answers
from .waiting import PATIENCE_S

# The client prints its log, tokens included.
logging.getLogger("Jellyfin").setLevel(logging.CRITICAL)
logging.getLogger("JELLYFIN").setLevel(logging.CRITICAL)


class Person:
    """A user who has logged in at the server or at a gateway in front of it."""

    def __init__(self, name, at, device="sofa", listens=False):
        self.client = JellyfinClient(allow_multiple_clients=True)
        self.client.config.app("Greenroom Companion", "1.0", f"{name}'s {device}", f"{name}-{device}")
        self.client.config.data["auth.ssl"] = True
        self.client.auth.connect_to_address(at.url)
        signed_in = self.client.auth.login(at.url, name, "")
        assert signed_in, f"{name} could not log in at {at.url}"
        self.token, self.user_id = signed_in["AccessToken"], signed_in["User"]["Id"]
        if hasattr(at, "knows"):
            at.knows(self.token)
        self.client.authenticate(self.client.get_credentials(), discover=False)
        self.on_event = lambda kind, data: None
        self.client.callback = lambda kind, data: self.on_event(kind, data)
        connected = queue.Queue()
        self.on_event = lambda kind, data: connected.put(kind)
        self.client.start(websocket=listens)
        if listens:
            assert connected.get(timeout=PATIENCE_S) == "WebSocketConnect"
        self.answers = Answers(self.client.http.session)
        self.api = self.client.jellyfin

    def kept(self, read):
        """What `read` gives, once it comes from the cache."""
        return self.answers.kept(read)

    def views(self):
        """The libraries a user sees, by kind."""
        return {view.get("CollectionType"): view for view in self.api.get_views()["Items"]}

    def listed(self, kind, **wanted):
        """Everything of a kind, as libraries list it."""
        found = self.api.get_user_items(include_item_types=kind, recursive=True, sort_by="SortName", **wanted)
        return found["Items"]

    def state(self, item_id):
        """What the server knows of this person and an item."""
        return self.api.get_item(item_id)["UserData"]

    def leave(self):
        """Closes the connections of the client. The thread of its socket may take its time to notice."""
        self.client.stop()
