"""Compares what a server answers with what a gateway in front of it makes of it: status, headers, bytes.

What may differ is written in volatile.toml and nowhere else. By hand, against any server:

    python compare.py --direct http://server:32400 --through http://gateway:32500 requests.jsonl

where each line is `["GET", "/library/sections", {"X-Plex-Token": "..."}]`.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import re
import sys
import tomllib

from stage.request import Request

LISTED = pathlib.Path(__file__).with_name("volatile.toml")
# Of a difference in a body, this much is shown on either side.
SHOWN_BYTES = 60


class Volatile:
    """What may differ, read from volatile.toml."""

    def __init__(self, text=None):
        listed = tomllib.loads(text if text is not None else LISTED.read_text())
        # Where no value is written, any is meant.
        self.headers = {entry["name"].lower(): entry.get("value") for entry in listed.get("header", [])}
        self.body = [(re.compile(entry["path"], re.I), re.compile(entry["field"])) for entry in listed.get("body", [])]

    def is_steady(self, name, value):
        """Whether a header must be the same on both sides."""
        return name not in self.headers or self.headers[name] not in (None, value)

    def steady_headers(self, answer, without=()):
        """The headers that must be the same, with how often they occur."""
        named = ((name.lower(), value) for name, value in answer.headers)
        steady = collections.Counter(pair for pair in named if self.is_steady(*pair) and pair[0] not in without)
        # Some servers say the length twice; once is enough.
        steady.update({pair: 1 - count for pair, count in steady.items() if pair[0] == "content-length"})
        return steady

    def is_in_body(self, request):
        """Whether a field of this answer's body is volatile."""
        return any(path.search(request.path) for path, _ in self.body)

    def steady_body(self, request, answer):
        """The content with the volatile fields taken out, and everything else byte for byte."""
        content = answer.content().decode("latin-1")
        for path, field in self.body:
            if path.search(request.path):
                content = field.sub("<volatile>", content)
        return content


def differences(request, direct, through, volatile):
    """How the answer through the gateway differs, in lines a person can read. Empty: not at all."""
    found = []
    if direct.status != through.status:
        found.append(f"status {direct.status} became {through.status}")
    # The length of packed content, or of content with a volatile field, says nothing.
    says_nothing = direct.is_packed() or through.is_packed() or volatile.is_in_body(request)
    without = ("content-length",) if says_nothing else ()
    ours, theirs = volatile.steady_headers(through, without), volatile.steady_headers(direct, without)
    found += [f"header lost: {name}: {value}" for name, value in (theirs - ours).elements()]
    found += [f"header added: {name}: {value}" for name, value in (ours - theirs).elements()]
    wanted, got = volatile.steady_body(request, direct), volatile.steady_body(request, through)
    if wanted != got:
        at = next((at for at, (a, b) in enumerate(zip(wanted, got)) if a != b), min(len(wanted), len(got)))
        shown = slice(max(0, at - SHOWN_BYTES), at + SHOWN_BYTES)
        found.append(f"body differs at {at} of {len(wanted)}: {wanted[shown]!r} became {got[shown]!r}")
    return found


@dataclasses.dataclass
class Compared:
    """One request, asked directly, then twice through the gateway."""

    request: Request
    first: list
    second: list
    second_was_kept: bool

    def lines(self):
        """The differences with their request."""
        words = [("first", line) for line in self.first] + [("again", line) for line in self.second]
        return [f"{self.request.method} {self.request.target} ({when}): {line}" for when, line in words]


def compare(request, direct_url, through_url, volatile):
    """Asks once directly and twice through the gateway: the first answer may be loaded, the second kept."""
    first = request.send(through_url)
    direct = request.send(direct_url)
    second = request.send(through_url)
    return Compared(
        request,
        differences(request, direct, first, volatile),
        differences(request, direct, second, volatile),
        any("; hit" in status for status in second.header("cache-status")),
    )


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="compares a server's answers with those of a gateway in front of it")
    parser.add_argument("--direct", required=True, metavar="URL")
    parser.add_argument("--through", required=True, metavar="URL")
    parser.add_argument("requests", type=argparse.FileType(), metavar="FILE")
    typed = parser.parse_args()
    volatile = Volatile()
    asked = [json.loads(line) for line in typed.requests if line.strip()]
    requests = [Request(method, target, tuple(headers.items())) for method, target, headers in asked]
    compared = [compare(request, typed.direct, typed.through, volatile) for request in requests]
    lines = [line for one in compared for line in one.lines()]
    for line in lines:
        print(line)
    kept = sum(one.second_was_kept for one in compared)
    print(f"{len(compared)} requests, {kept} answered from the cache the second time, {len(lines)} differences")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
