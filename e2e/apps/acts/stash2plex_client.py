"""Stash2Plex's own matcher, with its two caches replaced by caches of a running Greenroom; or the same files matched there.

The app imports `Cache` from diskcache in one place. The shim below is what an app that changes this line has.
"""

import json
import os
import pathlib
import sys
import types

import greenroom

URL, TOKEN = os.environ["CACHES_URL"], os.environ["CACHES_TOKEN"]


def cache(directory, size_limit=0):
    """A cache that is called like the app's folder; its size is Greenroom's configuration."""
    return greenroom.Cache(url=URL, name=pathlib.Path(directory).name.replace("_", "-"), token=TOKEN)


shim = types.ModuleType("diskcache")
shim.Cache = cache
sys.modules["diskcache"] = shim
sys.path.insert(0, os.getcwd())


def with_its_matcher(wanted):
    """Matches with the app's matcher, and keeps a match as its worker does once an item was updated."""
    from plex.cache import MatchCache, PlexCache
    from plex.client import PlexClient
    from plex.matcher import MatchConfidence, find_plex_items_with_confidence

    library = PlexClient(os.environ["PLEX_URL"], os.environ["PLEX_TOKEN"]).get_library(wanted["library"])
    library_cache, match_cache = PlexCache("data/cache"), MatchCache("data/cache")
    matched = {}
    for path in wanted["files"]:
        confidence, item, _ = find_plex_items_with_confidence(
            library, path, library_cache=library_cache, match_cache=match_cache
        )
        if confidence is MatchConfidence.HIGH:
            matched[path] = item.key
            match_cache.set_match(library.title, path, item.key)
    failed = library_cache._cache.stats().failures + match_cache._cache.stats().failures
    return {"matched": matched, "hits": match_cache.get_stats()["hits"], "failed": failed}


def with_greenroom(wanted):
    """Matches all files in one request."""
    client = greenroom.Client(URL, os.environ["CONTROL_TOKEN"])
    calls, call = [], client.call
    client.call = lambda *words: calls.append(words[1]) or call(*words)
    answers = zip(wanted["files"], greenroom.match.paths(client, wanted["files"]))
    matched = {path: f"/library/metadata/{answer['key']}" for path, answer in answers if answer["confidence"] == "HIGH"}
    return {"matched": matched, "calls": calls}


act, asked_for = sys.argv[1], json.loads(pathlib.Path(sys.argv[2]).read_text())
print(json.dumps({"with its matcher": with_its_matcher, "with greenroom": with_greenroom}[act](asked_for)))
