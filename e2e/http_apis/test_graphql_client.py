"""A plain GraphQL client from PyPI: a menu of 110 projects, a project with its seasons and episodes, continue watching."""

import pytest
import requests
from gql import Client, gql
from gql.transport.requests import RequestsHTTPTransport

from http_apis.api_gateway import ApiGateway
from stage.program import until
from stage.server import Server

OWNER = "gql-owner-a"
SIZE = ("--films", "86", "--shows", "24", "--tracks", "10")

PROJECTS = gql("query Projects { projects { __typename id slug name projectType } }")
PROJECT = gql(
    """query Project($slug: String!) { project(slug: $slug) { __typename id slug name seasonCount
    seasons { __typename id number episodes { __typename id guid name number } } } }"""
)
EPISODES = gql("query Episodes($guids: [ID!]!) { episodes(guids: $guids) { __typename id guid name } }")
RESUME = gql(
    """query ResumeWatching($first: Int!) { resumeWatching(first: $first) {
    edges { node { __typename id guid watchData { positionS } } } pageInfo { hasNextPage endCursor } } }"""
)
MARK = gql(
    "mutation Mark($guid: ID!) { markWatched(guid: $guid, watched: true) { __typename id watchData { watched } } }"
)


@pytest.fixture
def server():
    """A GraphQL API with 110 projects, which sends `no-store`."""
    server = Server("graphql", "http-graphql", size=SIZE)
    yield server
    server.stop()


@pytest.fixture
def gateway(server):
    """The gateway with the ready-made routes."""
    gateway = ApiGateway("angel-studios", server, "graphql-gateway")
    yield gateway
    gateway.stop()


@pytest.fixture
def prefetching_gateway(server):
    """The same with the rule that the file offers."""
    gateway = ApiGateway("angel-studios", server, "graphql-prefetch", uses_comments=True)
    yield gateway
    gateway.stop()


class Visitor:
    """An app that knows one address."""

    def __init__(self, url):
        transport = RequestsHTTPTransport(f"{url}/graphql", headers={"Authorization": f"Bearer {OWNER}"})
        self.client = Client(transport=transport)

    def ask(self, document, **variables):
        """The data of one operation; fails on any error."""
        document.variable_values = variables
        return self.client.execute(document)

    def visit(self):
        """Menu, a project, its episodes, and what was left in the middle."""
        menu = self.ask(PROJECTS)["projects"]
        series = next(row for row in menu if row["projectType"] == "series")
        project = self.ask(PROJECT, slug=series["slug"])["project"]
        guids = [episode["guid"] for season in project["seasons"] for episode in season["episodes"]]
        return menu, project, self.ask(EPISODES, guids=guids)["episodes"], self.resume()

    def resume(self):
        """What was left in the middle."""
        edges = self.ask(RESUME, first=10)["resumeWatching"]["edges"]
        return [edge["node"]["guid"] for edge in edges]


def operations(server):
    """How many requests of the API the server saw."""
    return sum(1 for row in server.reached() if row["target"].startswith("/graphql"))


def test_a_second_visit_costs_nothing_over_a_restart_and_an_outage(server, gateway):
    direct = Visitor(server.url).visit()
    server.forget()
    app = Visitor(gateway.url)
    first = app.visit()
    assert first == direct, "only the address has changed"
    assert len(first[0]) == 110 and first[2] and first[3]
    assert operations(server) == 4
    assert app.visit() == first
    gateway.restart()
    assert app.visit() == first
    assert operations(server) == 4, "all of it is fresh"
    server.kill()
    assert app.visit() == first
    gateway.restart()
    assert app.visit() == first, "not even over a restart in the outage"
    results = [(row["class"], row["verdict"]) for row in gateway.decisions()]
    assert results == [("graphql", "hit")] * 4


def test_after_the_menu_the_details_of_its_first_rows_are_there_before_they_are_asked_for(server, prefetching_gateway):
    app = Visitor(prefetching_gateway.url)
    app.ask(PROJECT, slug=app.ask(PROJECTS)["projects"][50]["slug"])
    server.forget()
    first_ten = [row["slug"] for row in app.ask(PROJECTS)["projects"][:10]]
    until(lambda: operations(server) == 10, "the first ten were loaded")
    assert [app.ask(PROJECT, slug=slug)["project"]["slug"] for slug in first_ten] == first_ten
    assert operations(server) == 10, "each was loaded once, in advance"
    app.ask(PROJECT, slug=app.ask(PROJECTS)["projects"][11]["slug"])
    assert operations(server) == 11, "and only the first ten"
    stats = prefetching_gateway.server_stats()
    counted = stats["prefetch"]
    assert (counted["enabled"], counted["started"], counted["failed"]) == (True, 10, 0)
    metric = f'greenroom_prefetch_started_total{{server="{stats["name"]}"}} 10'
    assert metric in requests.get(f"{prefetching_gateway.control}/metrics", timeout=10).text


def test_a_mutation_is_seen_at_once_by_its_user(server, gateway):
    app = Visitor(gateway.url)
    before = app.resume()
    app.ask(MARK, guid=before[0])
    assert before[0] not in app.resume()
    stats = gateway.server_stats()
    assert (stats["kind"], stats["asked"], stats["writes"]) == ("http", 3, 1)
