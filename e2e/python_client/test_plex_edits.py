"""Edits of Plex items in batches."""

import http.server
import socket
import threading
import urllib.parse

import pytest

from greenroom import plex
from greenroom.plex import Edit, EditState


class Server(http.server.ThreadingHTTPServer):
    """Takes edits as Plex does; `answers` are the statuses to come, None hangs up."""

    def __init__(self):
        self.asked, self.answers = [], []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        parts = urllib.parse.urlsplit(self.path)
        fields = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.server.asked.append((parts.path, fields, self.headers["X-Plex-Token"]))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def edit(item, title, section="3", kind=1):
    return Edit(section, kind, item, {"title.value": title, "title.locked": 1})


def test_equal_edits_of_a_section_are_one_request_and_others_one_each(server):
    wanted = [edit("1", "A & B"), edit("2", "A & B"), edit("3", "C"), edit("4", "A & B", section="4"), edit("5", "A & B")]
    outcomes = plex.edits(server.url, wanted, token="secret")
    assert [outcome.state for outcome in outcomes] == [EditState.DONE] * 3
    assert [[edit.item for edit in outcome.edits] for outcome in outcomes] == [["1", "2", "5"], ["3"], ["4"]]
    fields = {"type": "1", "id": "1,2,5", "title.value": "A & B", "title.locked": "1"}
    assert server.asked[0] == ("/library/sections/3/all", fields, "secret")
    assert [path for path, _, _ in server.asked] == ["/library/sections/3/all"] * 2 + ["/library/sections/4/all"]


def test_edits_of_one_item_keep_their_order():
    wanted = [edit("1", "x"), edit("2", "y"), edit("1", "y"), edit("1", "x"), edit("3", "x"), edit("1", "x")]
    batches = [[(edit.item, edit.fields["title.value"]) for edit in group] for group in plex.batched(wanted)]
    assert batches == [[("1", "x")], [("2", "y"), ("1", "y")], [("1", "x"), ("3", "x")]]
    many = [edit(str(number), "x") for number in range(450)]
    assert [len(group) for group in plex.batched(many)] == [200, 200, 50]


def test_a_batch_that_fails_fails_whole_and_is_told(server):
    server.answers = [404, None, 500, 200]
    wanted = [edit("1", "a"), edit("2", "a"), edit("3", "b"), edit("4", "c"), edit("5", "d")]
    outcomes = plex.edits(server.url, wanted)
    told = [(len(outcome.edits), outcome.state, outcome.status) for outcome in outcomes]
    unknown = EditState.UNKNOWN
    assert told == [(2, EditState.REFUSED, 404), (1, unknown, 0), (1, unknown, 500), (1, EditState.DONE, 200)]
    assert len(server.asked) == 4, "what has left is not sent again"


def test_what_could_not_be_sent_is_told_and_the_rest_is_not_tried(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tried = []
    connect = plex.http.client.HTTPConnection.connect
    monkeypatch.setattr(plex.http.client.HTTPConnection, "connect", lambda own: tried.append(1) or connect(own))
    outcomes = plex.edits(f"http://127.0.0.1:{port}", [edit("1", "a"), edit("2", "b")], timeout_s=5)
    assert [outcome.state for outcome in outcomes] == [EditState.UNSENT] * 2 and len(tried) == 2


def test_a_request_of_which_nothing_has_left_is_sent_once_more(server, monkeypatch):
    connect, tried = plex.http.client.HTTPConnection.connect, []

    def flaky(own):
        tried.append(1)
        if len(tried) == 1:
            raise ConnectionRefusedError("not yet")
        connect(own)

    monkeypatch.setattr(plex.http.client.HTTPConnection, "connect", flaky)
    assert plex.edits(server.url, [edit("1", "a")])[0].state is EditState.DONE and len(server.asked) == 1


@pytest.mark.parametrize(
    "wrong", [edit("1,2", "x"), edit("", "x"), edit("1", "x", section="3/all"), Edit("3", 1, "1", {"id": "9"}), edit("1", "x" * 99999)]
)
def test_what_is_no_edit_is_refused_before_anything_is_sent(server, wrong):
    with pytest.raises(ValueError):
        plex.edits(server.url, [edit("1", "a"), wrong])
    assert server.asked == []
