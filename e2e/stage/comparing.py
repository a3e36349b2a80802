"""Compares a list of requests directly and through a gateway, and sums up what is wrong."""

import collections

from compare import Volatile, compare

# Of one kind of difference, so many requests are named.
NAMED = 3


def compare_all(requests, server, gateway):
    """Compares each request; gives what was found for each."""
    volatile = Volatile()
    return [compare(request, server.url, gateway.url, volatile) for request in requests]


def assert_the_same(compared):
    """Fails if any answer differs, and says which kinds of difference there are."""
    kinds = collections.defaultdict(list)
    for one in compared:
        for line in dict.fromkeys(one.first + one.second):
            kinds[line].append(f"{one.request.method} {one.request.path}")
    message = [
        f"{line}\n  {len(requests)} times: {', '.join(list(dict.fromkeys(requests))[:NAMED])}"
        for line, requests in kinds.items()
    ]
    assert not kinds, f"{len(kinds)} kinds of difference:\n" + "\n".join(message)


def kept(compared):
    """The share of second answers that came from the cache."""
    return sum(one.second_was_kept for one in compared) / len(compared)


def reads(recorded):
    """The reads among recorded requests, each once."""
    return list(dict.fromkeys(request for request in recorded if request.method in ("GET", "HEAD")))
