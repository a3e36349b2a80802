"""Kodi for tests of the add-on's logic: everything that is asked of it is written down, in order."""

from urllib.parse import urlencode

from resources.lib.host import Host

DEFAULTS = {"api_url": "http://127.0.0.1:1/graphql", "api_token": "token-a", "enable_performance_logging": "true"}
TICK_S = 0.0001


class FakeHost(Host):
    """One run of the add-on. `events` is what happened, in order; `visits` is shared between runs."""

    def __init__(self, folder, visits, settings=None, arguments=None, time=None):
        self.folder, self.visits = folder, visits
        self.settings = {**DEFAULTS, **(settings or {})}
        self.given = dict(arguments or {})
        self.events, self.rows, self.content, self.logs, self.warnings, self.notes = [], [], None, [], [], []
        self.succeeded = None
        self.quitting = False
        self.broken_pictures = set()
        # What is to happen when the add-on lets others run, or has a picture loaded.
        self.on_breathe = self.on_picture = lambda: None
        self.elapsed = 0.0
        self.time = time or (lambda: 1_000_000.0)
        self.played = []

    def arguments(self):
        return self.given

    def setting(self, name):
        return self.settings.get(name, "")

    def text(self, number):
        return f"{number.name} {{0}}" if number.name == "CACHE_CLEARED" else number.name

    def data_folder(self):
        return str(self.folder)

    def url(self, **arguments):
        return f"plugin://x/?{urlencode(arguments)}"

    def add_rows(self, rows, content):
        self.rows, self.content = list(rows), content

    def end_menu(self, succeeded):
        self.succeeded = succeeded
        self.events.append("end")

    def play(self, url):
        self.played.append(url)

    def refresh(self):
        self.events.append("refresh")

    def notify(self, text):
        self.notes.append(text)

    def log(self, text):
        self.logs.append(text)

    def warn(self, text):
        self.warnings.append(text)

    def begin_visit(self):
        self.visits.append(len(self.visits))
        return str(self.visits[-1])

    def is_latest_visit(self, visit):
        return str(self.visits[-1]) == visit

    def quits(self):
        return self.quitting

    def cache_picture(self, url):
        self.events.append(f"picture {url}")
        self.on_picture()
        return url not in self.broken_pictures

    def breathe(self):
        self.events.append("breathe")
        self.on_breathe()

    def clock(self):
        self.elapsed += TICK_S
        return self.elapsed

    def now(self):
        return self.time()
