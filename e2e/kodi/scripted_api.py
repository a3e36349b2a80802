"""A GraphQL API in this process: a few projects, and failures on demand."""

import re

from resources.lib.api import Api, ApiError, Failure

SEASONS, EPISODES = 2, 3


def episode(guid):
    """An episode as the API tells it."""
    slug, season, number = guid.split(".")
    return {
        "__typename": "Episode",
        "id": guid,
        "guid": guid,
        "name": f"Episode {number}",
        "description": "d",
        "number": int(number),
        "seasonNumber": int(season),
        "durationS": 1200,
        "releasedAt": None,
        "posterUrl": f"http://pictures/{guid}.jpg",
        "project": {"__typename": "Project", "id": slug, "slug": slug, "name": slug.upper(), "backdropUrl": "b"},
    }


def project(slug):
    """A project with its seasons."""
    seasons = [
        {
            "__typename": "Season",
            "id": f"{slug}.{season}",
            "name": f"Season {season}",
            "number": season,
            "episodeCount": EPISODES,
            "episodes": [{"guid": f"{slug}.{season}.{number}"} for number in range(1, EPISODES + 1)],
        }
        for season in range(1, SEASONS + 1)
    ]
    row = {
        "__typename": "Project",
        "id": slug,
        "slug": slug,
        "name": slug.upper(),
        "projectType": "series",
        "description": "d",
        "year": 2020,
    }
    return {**row, "posterUrl": f"http://pictures/{slug}.jpg", "backdropUrl": "b", "seasons": seasons}


class Service:
    """What all runs ask. `operations` are the names of what was asked; `fails` is what happens to the next ones."""

    def __init__(self, projects=12):
        self.slugs = [f"p{number}" for number in range(projects)]
        self.operations, self.timeouts = [], []
        self.fails = None
        self.on_ask = lambda name: None
        # What was watched, by token and episode.
        self.watched = set()
        self.tokens = []

    def api(self, url, token):
        """The API for a user; stands for the class `Api`."""
        return ScriptedApi(self, url, token)

    def answer(self, name, variables, token):
        """The data of an operation."""
        if name == "Projects":
            return {"projects": [{k: v for k, v in project(slug).items() if k != "seasons"} for slug in self.slugs]}
        if name == "Project":
            return {"project": project(variables["slug"]) if variables["slug"] in self.slugs else None}
        if name == "Episodes":
            watch = [{"guid": guid, "watchData": self.watch(guid, token)} for guid in variables["watched"]]
            return {"episodes": [episode(guid) for guid in variables["guids"]], "watch": watch}
        if name == "ResumeWatching":
            nodes = [
                {**episode(f"{slug}.1.2"), "watchData": self.watch(f"{slug}.1.2", token), "project": project(slug)}
                for slug in self.slugs[: variables["first"]]
                if (token, f"{slug}.1.2") not in self.watched
            ]
            more = len(self.slugs) > variables["first"]
            page = {"hasNextPage": more, "endCursor": nodes[-1]["guid"] if nodes else None}
            return {"resumeWatching": {"edges": [{"node": node} for node in nodes], "pageInfo": page}}
        if name == "EpisodeSource":
            return {"episode": {"source": {"url": f"http://media/{variables['guid']}?signed"}}}
        if name == "MarkWatched":
            (self.watched.add if variables["watched"] else self.watched.discard)((token, variables["guid"]))
            return {"markWatched": {"guid": variables["guid"]}}
        raise AssertionError(name)

    def watch(self, guid, token):
        """The state of a user: the position tells whose it is."""
        return {"positionS": len(token) * 10, "watched": (token, guid) in self.watched} if token else None


class ScriptedApi(Api):
    """The API as one user asks it, without a network."""

    def __init__(self, service, url, token):
        super().__init__(url, token)
        self.service, self.token = service, token

    def ask(self, document, variables=None, timeout_s=10.0):
        self.requests += 1
        name = re.search(r"(?:query|mutation) (\w+)", document).group(1)
        self.service.operations.append(name)
        self.service.timeouts.append(timeout_s)
        self.service.tokens.append(self.token)
        self.service.on_ask(name)
        if self.service.fails is not None:
            raise ApiError(self.service.fails, "scripted")
        return self.service.answer(name, variables or {}, self.token)


UNREACHABLE, REFUSED, ERRORS = Failure.UNREACHABLE, Failure.REFUSED, Failure.ERRORS
