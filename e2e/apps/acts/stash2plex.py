"""Acts of Stash2Plex, with its own matcher: a round of files is matched, with its caches or without them."""

import json
import os
import pathlib
import sys

sys.path.insert(0, os.getcwd())

from plex.cache import MatchCache, PlexCache
from plex.client import PlexClient
from plex.matcher import MatchConfidence, find_plex_items_with_confidence

act, wanted = sys.argv[1], json.loads(pathlib.Path(sys.argv[2]).read_text())
library = PlexClient(os.environ["PLEX_URL"], os.environ["PLEX_TOKEN"]).get_library(wanted["library"])
caches = {}
if act == "with caches":
    caches = {"library_cache": PlexCache("data/cache"), "match_cache": MatchCache("data/cache")}

matched = 0
for path in wanted["files"]:
    try:
        confidence, item, _ = find_plex_items_with_confidence(library, path, **caches)
    except Exception:  # A file that the server does not have, of which the matcher says so.
        continue
    if confidence is MatchConfidence.HIGH:
        matched += 1
        if caches:  # As its worker does once an item was updated.
            caches["match_cache"].set_match(library.title, path, item.key)
print({"matched": matched, "files": len(wanted["files"])})
