"""The server dies: what was read stays readable, what cannot be known is refused."""

import pytest
import requests
from jellyfin_apiclient_python.exceptions import HTTPException


def test_reads_go_on_while_the_server_is_dead_and_the_rest_is_refused(server, gateway, olga):
    listed = olga.kept(lambda: olga.listed("Movie"))
    film = olga.kept(lambda: olga.api.get_item(listed[0]["Id"]))
    server.kill()

    assert olga.listed("Movie") == listed
    assert olga.api.get_item(film["Id"]) == film
    with pytest.raises(HTTPException, match="503"):
        olga.api.favorite(film["Id"])
    # The client would heed Retry-After and ask again; what it is told is seen without it.
    unknown = f"{gateway.url}/Users/{olga.user_id}/Items/{listed[1]['Id']}"
    refused = requests.get(unknown, headers={"X-Emby-Token": olga.token}, timeout=20)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()
