"""A parser that is not ours reads the metrics, in both formats, and finds the same in them."""

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as classic

# What Prometheus sends by default, and what asks for the older format.
OF_PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
OLDER = "text/plain;version=0.0.4"


def scraped(gateway, accept):
    """The answer to a scraper that says it accepts this."""
    answer = requests.get(f"{gateway.control}/metrics", headers={"Accept": accept}, timeout=20)
    assert answer.status_code == 200
    return answer


def samples(families):
    """Every sample that does not move without requests, by name and labels."""
    still = {"greenroom_client_requests", "greenroom_app_requests", "greenroom_cache_answers"}
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        if family.name.removesuffix("_total") in still
        for sample in family.samples
    }


def test_both_formats_are_understood_and_say_the_same(gateway, ask):
    ask()
    ask()
    modern = scraped(gateway, OF_PROMETHEUS)
    assert modern.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    older = scraped(gateway, OLDER)
    assert older.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    said = samples(open_metrics(modern.text))
    assert said and said == samples(classic(older.text))
    server = gateway.server.kind
    assert said["greenroom_client_requests_total", (("server", server),)] >= 2


def test_every_family_has_a_type_a_unit_where_it_has_one_and_a_sentence(gateway, ask):
    ask()
    families = list(open_metrics(scraped(gateway, OF_PROMETHEUS).text))
    assert len(families) > 60
    for family in families:
        assert family.name.startswith("greenroom_")
        assert family.type in {"counter", "gauge", "histogram", "info"}, family.name
        assert len(family.documentation) > 8, family.name
        for unit in ("seconds", "bytes"):
            assert family.name.endswith(unit) == (family.unit == unit), family.name
        for sample in family.samples:
            assert len(sample.labels) <= 4, sample
