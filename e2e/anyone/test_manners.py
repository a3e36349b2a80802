"""How the gateway behaves towards a client it knows nothing about."""

import json
import shutil
import subprocess
import xml.etree.ElementTree

import pytest
import requests

from stage.request import Request

# An error is a sentence, not a page.
SMALL_BYTES = 1_000
# A read of each kind that needs a token.
A_READ = {"plex": "/library/sections", "jellyfin": "/UserViews"}


def is_well_formed(answer):
    """Whether a body is what its content type says."""
    if "json" in answer.headers["Content-Type"]:
        json.loads(answer.text)
    else:
        xml.etree.ElementTree.fromstring(answer.text)
    return True


def test_without_a_token_nothing_is_shown_and_the_reason_is_said(gateway):
    answer = requests.get(gateway.url + A_READ[gateway.server.kind], timeout=20)
    assert answer.status_code == 401
    assert 0 < len(answer.content) < SMALL_BYTES
    assert is_well_formed(answer)


@pytest.mark.parametrize("accept", ["application/json", "application/xml", "*/*"])
def test_errors_are_small_and_in_the_form_the_client_reads(gateway, accept):
    answer = requests.get(gateway.url + A_READ[gateway.server.kind], headers={"Accept": accept}, timeout=20)
    assert answer.status_code == 401
    assert len(answer.content) < SMALL_BYTES
    assert is_well_formed(answer)
    if accept == "application/json":
        assert "json" in answer.headers["Content-Type"]


def test_a_public_greeting_needs_no_token(gateway):
    path = {"plex": "/identity", "jellyfin": "/System/Info/Public"}[gateway.server.kind]
    assert requests.get(gateway.url + path, timeout=20).status_code == 200


@pytest.mark.parametrize("path", ["/library/../../etc/passwd", "//evil.example/", "/%00", "/library%2fsections", "/;x"])
def test_odd_paths_are_answered_small_and_never_by_a_crash(gateway, path):
    answer = Request("GET", path).send(gateway.url)
    assert 400 <= answer.status < 500
    assert len(answer.body) < SMALL_BYTES


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl on this machine")
def test_curl_reads_status_length_and_body(gateway):
    answer = subprocess.run(
        ["curl", "--silent", "--include", "--max-time", "20", gateway.url + "/"], capture_output=True, check=True
    ).stdout
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    length = next(line.split(":")[1] for line in headers if line.lower().startswith("content-length:"))
    assert status.startswith("HTTP/1.1 ")
    assert int(length) == len(body)


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl on this machine")
def test_curl_head_has_no_body(gateway):
    path = {"plex": "/identity", "jellyfin": "/System/Info/Public"}[gateway.server.kind]
    answer = subprocess.run(
        ["curl", "--silent", "--head", "--max-time", "20", gateway.url + path], capture_output=True, check=True
    ).stdout
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")


def test_the_control_plane_is_not_at_the_apps_address(gateway):
    assert requests.get(gateway.url + "/metrics", timeout=20).status_code == 401
    assert requests.get(gateway.control + "/metrics", timeout=20).status_code == 200


def test_what_is_kept_is_forgotten_only_with_the_control_token(gateway):
    assert requests.post(gateway.control + "/api/v1/cache/clear", timeout=20).status_code in (401, 403)


def test_who_has_the_answer_already_is_told_so_without_its_body(ask):
    first = ask()
    path = first.request.path_url
    again = Request("GET", path, tuple(first.request.headers.items())).with_header("If-None-Match", first.headers["ETag"])
    again = again.send(first.url.removesuffix(path))
    assert again.status == 304
    assert again.body == b""
    assert again.header("etag") == [first.headers["ETag"]]
