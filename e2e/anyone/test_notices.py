"""A notice arrives at a receiver that is not ours, which checks as the documentation says that it is from here."""

import hashlib
import hmac
import http.server
import json
import threading
import time

import pytest
import requests

from stage.fixtures import a_gateway, a_server

SECRET = "what-only-we-know-4711"
PATH = "/hook/path-that-holds-a-token-0815"


def is_from_greenroom(header, body, secret):
    """As docs/notices.md has it."""
    said = dict(part.split("=", 1) for part in header.split(","))
    code = hmac.new(secret.encode(), said["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(code, said["v1"]) and abs(time.time() - int(said["t"])) < 300


@pytest.fixture
def receiver():
    """Notes what is posted to it."""
    posted = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.posted = posted
    yield server
    server.shutdown()


def test_a_test_message_arrives_signed_and_its_address_shows_nowhere(request, receiver):
    environment = {
        "GREENROOM_NOTICE_PHONE_URL": f"http://127.0.0.1:{receiver.server_address[1]}{PATH}",
        "GREENROOM_NOTICE_PHONE_SECRET": SECRET,
        "GREENROOM_LOG": "trace",
        "GREENROOM_LOG_FORMAT": "json",
    }
    with a_server("plex", request) as server, a_gateway(server, request, environment=environment) as gateway:
        gateway.knows(SECRET, PATH.rsplit("/", 1)[1])
        test = f"{gateway.control}/api/v1/notices/test"
        assert requests.post(test, timeout=20).status_code == 401
        with_token = {"Authorization": f"Bearer {gateway.control_token()}"}
        answer = requests.post(test, headers=with_token, json={"target": "phone"}, timeout=20)
        assert answer.json()["success"] is True, answer.text
        [(path, headers, body)] = receiver.posted
        assert path == PATH
        named = {name.lower(): value for name, value in headers.items()}
        assert is_from_greenroom(named["greenroom-signature"], body, SECRET)
        assert not is_from_greenroom(named["greenroom-signature"], body + b" ", SECRET)
        assert json.loads(body)["title"] == "Greenroom: a test"
