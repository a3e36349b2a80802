"""Acts of cmdarr, with its own commands: its library cache is built, and a playlist is synced."""

import json
import os
import pathlib
import sys
import types

sys.path.insert(0, os.getcwd())

from utils.logger import setup_application_logging

# As its start does, before anything else is imported.
setup_application_logging(
    types.SimpleNamespace(LOG_LEVEL="WARNING", LOG_FILE="data/logs/cmdarr.log", LOG_RETENTION_DAYS=1, LOG_ROTATION="daily")
)

from clients.client_plex import PlexClient
from commands.config_adapter import Config
from commands.library_cache_builder import LibraryCacheBuilderCommand
from utils.library_cache_manager import get_library_cache_manager

act, wanted = sys.argv[1], json.loads(pathlib.Path(sys.argv[2]).read_text())

if act == "build":
    assert LibraryCacheBuilderCommand(Config()).execute(force_rebuild=True, target_filter="plex")
    print({"built": True})
else:
    config = Config()
    client = PlexClient(config)
    manager = get_library_cache_manager(config) if act == "sync" else None
    told = client.sync_playlist("Measured", wanted["tracks"], library_cache_manager=manager)
    print({name: told[name] for name in ("success", "found_tracks", "total_tracks") if name in told})
