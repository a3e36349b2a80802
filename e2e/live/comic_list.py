"""Asks a comic app's list (GET /api/files) as its users do, and prints what they wait for and whether they see files.

`python3 e2e/live/comic_list.py URL [--token TOKEN] [--clients 6] [--requests 60]`: all clients ask at once, on a server that
was just started, then one client after the other. Both the app itself and the gateway can be asked.
"""

import argparse
import json
import statistics
import threading
import time
import urllib.error
import urllib.request

PATIENCE_S = 120


def ask(url, token, query=""):
    """Milliseconds until the list was there, and the number of files it says there are; none if it did not come."""
    request = urllib.request.Request(f"{url}/api/files?page=1&per_page=100{query}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            files = json.load(response).get("total_files")
    except (OSError, ValueError):
        files = None
    return (time.perf_counter() - began) * 1000, files


def at_once(url, token, clients):
    """All clients ask at the same moment."""
    answers = [None] * clients
    start = threading.Barrier(clients)

    def client(place):
        start.wait()
        answers[place] = ask(url, token)

    threads = [threading.Thread(target=client, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def show(what, answers):
    """One line of the table."""
    times = sorted(time_ms for time_ms, _ in answers)
    counts = [files for _, files in answers]
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    print(
        f"{what}: {len(answers)} requests, p50 {statistics.median(times):.1f} ms, p99 {p99:.1f} ms, "
        f"empty {counts.count(0)}, none or an error {counts.count(None)}, most files {max((c or 0) for c in counts)}"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--token")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--requests", type=int, default=60)
    options = parser.parse_args()
    url = options.url.rstrip("/")
    show("first requests, together", at_once(url, options.token, options.clients))
    show("then, one after the other", [ask(url, options.token) for _ in range(options.requests)])
    show("with refresh=true", [ask(url, options.token, "&refresh=true") for _ in range(options.requests // 6)])
    show("while it is refreshed, together", at_once(url, options.token, options.clients))


if __name__ == "__main__":
    main()
