"""`python -m greenroom import diskcache|simplecache|cmdarr|stash2plex SOURCE --into FOLDER`.

With `--url URL --cache NAME` instead of a folder the entries go into a cache of a running Greenroom.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import List, Optional

from .cache import Cache
from .importer.cmdarr_source import read_cmdarr
from .importer.diskcache_source import read_diskcache
from .importer.importing import ImportReport, import_entries
from .importer.simplecache_source import read_simplecache
from .importer.stash2plex_source import read_stash2plex
from .importer.unreadable import Unreadable

SOURCES = {
    "cmdarr": read_cmdarr,
    "diskcache": read_diskcache,
    "simplecache": read_simplecache,
    "stash2plex": read_stash2plex,
}
NAMES_PRINTED = 20

# Exit codes: all read; some entries skipped because they cannot be read or stored; no such store.
DONE, PARTLY, FAILED = 0, 3, 1
# Reasons to skip an entry that are no loss.
EXPECTED = ("expired", "there already", "another prefix", "a failed lookup")


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m greenroom", description="Greenroom's embedded cache")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("import", help="copy the entries of another store into a cache")
    command.add_argument("kind", choices=sorted(SOURCES))
    command.add_argument("source", type=pathlib.Path, help="the store's folder, or its file; it is only read")
    command.add_argument("--into", type=pathlib.Path, help="folder of the cache; not needed for --dry-run")
    command.add_argument("--url", help="instead of --into: address of a running Greenroom, http://… or unix:///…")
    command.add_argument("--cache", help="name of the cache there")
    command.add_argument("--token-file", type=pathlib.Path, help="file with the token of the cache")
    command.add_argument("--prefix", default="", help="import only entries whose keys begin so")
    command.add_argument("--dry-run", action="store_true", help="write nothing, only report")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    if (options.url is None) != (options.cache is None) or None not in (options.into, options.url):
        parser.error("--into FOLDER, or --url URL with --cache NAME")
    if options.into is None and options.url is None and not options.dry_run:
        parser.error("--into is needed, or --url, or --dry-run")
    try:
        cache = None if options.dry_run else _target(options)
    except (OSError, ValueError) as error:
        print(f"not imported: {error}", file=sys.stderr)
        return FAILED
    try:
        report = import_entries(SOURCES[options.kind](options.source), cache, options.prefix)
    except Unreadable as error:
        print(f"not imported: {error}", file=sys.stderr)
        return FAILED
    finally:
        if cache is not None:
            cache.close()
    print(_json(report) if options.json else _text(report))
    return PARTLY if any(reason not in EXPECTED for reason in report.skipped) else DONE


def _target(options: argparse.Namespace) -> Cache:
    if options.url is None:
        return Cache(options.into)
    token = None if options.token_file is None else options.token_file.read_text("ascii").strip()
    return Cache(url=options.url, name=options.cache, token=token)


def _json(report: ImportReport) -> str:
    named = [{"key": key, "reason": reason} for key, reason in report.named]
    return json.dumps({**report._asdict(), "named": named}, indent=2)


def _text(report: ImportReport) -> str:
    verb = "can be imported" if report.dry_run else "imported"
    lines = [f"{report.imported} entries {verb}, {sum(report.skipped.values())} skipped"]
    lines += [f"  {count} {reason}" for reason, count in sorted(report.skipped.items())]
    lines += [f"  skipped {key}: {reason}" for key, reason in report.named[:NAMES_PRINTED]]
    if len(report.named) > NAMES_PRINTED:
        lines.append(f"  and more; --json names the first {len(report.named)}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
