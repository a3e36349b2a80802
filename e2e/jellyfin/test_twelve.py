"""A newer Jellyfin refuses the old forms of a token; apps that know no other go on working through the gateway."""

import pytest
import requests

from stage.fixtures import a_server
from stage.jellyfin_people import Person

OLD_FORMS = {
    "scheme Emby": {"headers": {"Authorization": 'Emby Token="{}"'}},
    "X-Emby-Authorization": {"headers": {"X-Emby-Authorization": 'MediaBrowser Client="C", Token="{}"'}},
    "X-Emby-Token": {"headers": {"X-Emby-Token": "{}"}},
    "X-MediaBrowser-Token": {"headers": {"X-MediaBrowser-Token": "{}"}},
    "api_key": {"params": {"api_key": "{}"}},
}


@pytest.fixture(scope="module")
def server(request):
    """A server that takes only today's forms."""
    with a_server("jellyfin", request, ["--switch", "reject-legacy-auth"]) as server:
        yield server


@pytest.mark.parametrize("form", OLD_FORMS)
def test_an_old_form_is_refused_there_and_translated_here(form, server, gateway, olga):
    carried = {
        place: {name: value.format(olga.token) for name, value in part.items()}
        for place, part in OLD_FORMS[form].items()
    }
    path = f"/UserViews?userId={olga.user_id}"
    assert requests.get(server.url + path, timeout=20, **carried).status_code == 401
    assert requests.get(gateway.url + path, timeout=20, **carried).status_code == 200


def test_the_client_of_today_needs_no_translation(server, gateway, olga):
    direct = Person("olga", server, device="server room")
    assert direct.api.get_views() == olga.api.get_views()
    direct.leave()
