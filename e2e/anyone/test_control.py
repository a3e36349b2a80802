"""What the gateway says about itself is true, and what it may be told needs the control token."""

import requests

from stage.waiting import until


def was_kept(answer):
    """Whether an answer came from the cache."""
    return "; hit" in answer.headers["Cache-Status"]


def test_the_figures_are_those_of_the_server(gateway, ask):
    reached = lambda: gateway.figures()["totals"]["reached"]
    own = lambda: gateway.figures()["totals"]["own"]
    ask()
    gateway.server.forget()
    before = reached()
    for _ in range(5):
        assert ask().status_code == 200
    until(lambda: reached() - before == len(gateway.server.reached()), "both count the same requests")
    assert len(gateway.server.reached()) < 5 + own()


def test_saved_and_asked_add_up(gateway, ask):
    before = gateway.figures()["totals"]
    kept = [was_kept(ask()) for _ in range(4)]
    after = gateway.figures()["totals"]
    assert after["asked"] - before["asked"] == 4
    assert after["saved"] - before["saved"] == sum(kept) >= 3


def test_clearing_needs_the_token_and_makes_the_next_read_ask_the_server(gateway, ask):
    clear = f"{gateway.control}/api/v1/cache/clear"
    ask()
    assert was_kept(ask())
    assert requests.post(clear, timeout=20).status_code == 401
    assert was_kept(ask())
    with_token = {"Authorization": f"Bearer {gateway.control_token()}"}
    assert requests.post(clear, headers=with_token, timeout=20).json()["success"] is True
    assert not was_kept(ask())


def test_the_page_is_there_without_anything_from_elsewhere(gateway):
    page = requests.get(gateway.control, timeout=20)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "http://" not in page.text.replace(gateway.control, "").replace("http://www.w3.org", "")
    assert "https://" not in page.text


def test_figures_and_page_name_server_and_app(gateway, ask):
    ask()
    figures = gateway.figures()
    assert [server["name"] for server in figures["servers"]] == [gateway.server.kind]
    assert "python-requests" in {app["name"] for app in figures["apps"]}
