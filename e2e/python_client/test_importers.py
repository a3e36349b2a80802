"""Stores of others, read without executing anything in them."""

import base64
import collections
import datetime
import hashlib
import json
import os
import pathlib
import pickle
import pickletools
import sqlite3
import subprocess

import diskcache
import pytest
from hypothesis import given, settings, strategies as st

from greenroom import Cache, SimpleCache, codec
from greenroom.__main__ import main
from greenroom.importer.literal_reader import read_literal
from greenroom.importer.pickle_reader import read_pickle
from greenroom.importer.unreadable import Unreadable
from greenroom.keys import encode_key
from greenroom.remote.names import text_of
from greenroom.remote.wire import MEDIA_TYPES
from python_client.daemon import Daemon
from stage.program import BINARY, own_environment

# What the program's own importer is tested with, too.
VECTORS = json.loads(
    (pathlib.Path(__file__).parents[2] / "crates/app-cache-import/tests/vectors.json").read_text("utf-8")
)

SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.dates()),
    *(st.datetimes(), st.datetimes(timezones=st.just(datetime.timezone.utc)), st.timedeltas()),
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        *(st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=4)),
        *(st.tuples(), st.tuples(inner), st.tuples(inner, inner, inner, inner)),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_a_pickle_of_plain_values_of_any_protocol_is_read(value, protocol):
    found = read_pickle(pickle.dumps(value, protocol))
    # Only newer protocols tell which of two equal times of a day is meant.
    assert found == value and (protocol < 4 or repr(found) == repr(value))
    assert read_pickle(pickletools.optimize(pickle.dumps(value, protocol))) == value


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PLAIN)
def test_what_repr_or_json_wrote_is_read(value):
    assert read_literal(repr(value)) == value
    assert read_literal(json.dumps([1, None, True, {"a": "\u00e9\n'\""}])) == [1, None, True, {"a": "\u00e9\n'\""}]


def assert_stored(value, vector):
    """A value is stored as a vector says."""
    kind, payload = codec.encode(value)
    assert (MEDIA_TYPES[kind], payload) == (vector["media_type"], base64.b64decode(vector["value"])), vector


def test_both_importers_read_name_and_refuse_the_same():
    for vector in VECTORS["pickles"]:
        assert_stored(read_pickle(base64.b64decode(vector["data"])), vector)
    for vector in VECTORS["literals"]:
        assert_stored(read_literal(vector["text"]), vector)
    for vector in VECTORS["keys"]:
        assert text_of(encode_key(read_pickle(base64.b64decode(vector["data"])))) == vector["key"]
    for read, refused in (
        (read_pickle, [base64.b64decode(data) for data in VECTORS["refused_pickles"]]),
        (read_literal, VECTORS["refused_literals"]),
    ):
        for data in refused:
            with pytest.raises((Unreadable, TypeError)):
                codec.encode(read(data))


class Evil:
    """Would make a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


EVIL = [
    lambda path: Evil(path),
    lambda path: [Evil(path)],
    lambda path: {"a": (Evil(path), 1)},
    lambda path: collections.OrderedDict(a=1),
    lambda path: {1, 2},
    lambda path: os.system,
    lambda path: datetime.datetime.now,
    lambda path: bytearray(b"x"),
]


@pytest.mark.parametrize("make_evil", EVIL)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_in_a_pickle_is_executed_and_objects_are_refused(tmp_path, make_evil, protocol):
    with pytest.raises(Unreadable):
        read_pickle(pickle.dumps(make_evil(tmp_path / "made"), protocol))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b".", b"N", b"(.", b"}(.", b"\x80\x04N", b"]a.", b"((.", b"(N.", b"0.", b"2.", b"h\x01."),
        *(b"cos\nsystem\n.", b"cos\nsystem\n(S'true'\ntR.", b"cdatetime\ndatetime\n.", b"cdatetime\ndatetime\nN\x85."),
        *(b"cdatetime\ndatetime\n(C\x01\x00tR.", b"cdatetime\ndate\n(I9999999\nI1\nI1\ntR."),
        b"c_codecs\nencode\n(NNtR.",
        b"]q\x00h\x00a" + b"N",
    ],
)
def test_a_malformed_pickle_is_unreadable_and_nothing_else(data):
    with pytest.raises(Unreadable):
        read_pickle(data)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_unreadable(data):
    for read in (read_pickle, lambda text: read_literal(text.decode("latin-1"))):
        try:
            read(data)
        except Unreadable:
            pass


@settings(max_examples=200, deadline=None, derandomize=True)
@given(PLAIN, st.data())
def test_a_pickle_with_changed_bytes_is_a_value_or_unreadable(value, data):
    changed = bytearray(pickle.dumps(value, 4))
    for _ in range(3):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_pickle(bytes(changed))
    except Unreadable:
        pass


@pytest.mark.parametrize(
    "text",
    [
        *("", "open('x')", "[1, 2", "1 2", "a.b", "__import__('os')", "datetime.datetime.now()", "[" * 5000, "x"),
        *("{1}", "{1: }", "'a' + 'b'", "1 if 1 else 2", "f'{1}'", "datetime.datetime(1)", "datetime.datetime(a=1)"),
        *("-" * 9999, "9" * 9999, "(" * 200 + ")" * 200, "'\\x'", "[[]](0)", "{[]: 1}", "1_000", "...", "lambda: 1"),
    ],
    ids=lambda text: text[:20] or "nothing",
)
def test_a_text_that_is_no_plain_value_is_unreadable(text):
    with pytest.raises(Unreadable):
        read_literal(text)


def digest(folder):
    """What lies in a folder, with contents."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture
def disk(tmp_path):
    """A store that diskcache made, with entries of each kind."""
    with diskcache.Cache(str(tmp_path / "disk")) as disk:
        disk.set("plain", "text", tag="red", expire=3600)
        disk.set(("match", 1), {"key": "/library/metadata/1", "when": datetime.datetime(2026, 1, 2)})
        disk.set(5, 7)
        disk.set(b"bytes", b"\x00\xff")
        disk.set("float", 1.5)
        disk.set("large bytes", b"x" * 100_000)
        disk.set("large text", "é" * 100_000)
        disk.set("large list", [("row", number) for number in range(20_000)])
        disk.set("none", None)
        disk.set("evil", Evil(tmp_path / "made"))
        disk.set("gone", 1, expire=3600)
        # diskcache would remove it at once if it were stored as expired.
        disk._sql("UPDATE Cache SET expire_time = 1 WHERE key = 'gone'")
    return tmp_path / "disk"


def test_a_diskcache_is_imported_and_stays_as_it_was(disk, tmp_path, capsys):
    before = digest(disk)
    dry = main(["import", "diskcache", str(disk), "--dry-run", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (dry, report["imported"], report["dry_run"]) == (3, 9, True)
    assert report["named"] == [
        {"key": "'evil'", "reason": "an object of io.open"},
        {"key": "'gone'", "reason": "expired"},
    ]
    assert main(["import", "diskcache", str(disk), "--into", str(tmp_path / "new")]) == 3
    told = capsys.readouterr().out
    assert "9 entries imported, 2 skipped" in told and "skipped 'evil': an object of io.open" in told
    assert digest(disk) == before and not (tmp_path / "made").exists()
    cache = Cache(tmp_path / "new")
    with diskcache.Cache(str(disk)) as old:
        for key in old:
            if key not in ("gone", "evil"):
                assert cache[key] == old[key] and type(cache[key]) is type(old[key])
        _, ends, tag = cache.get("plain", expire_time=True, tag=True)
        assert tag == "red" and abs(ends - old.get("plain", expire_time=True)[1]) < 1
    cache.set("plain", "newer")
    assert main(["import", "diskcache", str(disk), "--into", str(tmp_path / "new")]) == 3
    assert "9 there already" in capsys.readouterr().out and cache["plain"] == "newer"
    cache.close()


def test_a_store_that_is_in_use_is_imported_with_what_is_only_in_its_log(tmp_path):
    with diskcache.Cache(str(tmp_path / "disk")) as disk:
        disk.set("key", "in the log")
        assert os.path.getsize(tmp_path / "disk" / "cache.db-wal") > 0
        before = digest(tmp_path / "disk")
        assert main(["import", "diskcache", str(tmp_path / "disk"), "--into", str(tmp_path / "new")]) == 0
        assert digest(tmp_path / "disk") == before
    with Cache(tmp_path / "new") as cache:
        assert cache["key"] == "in the log"


def test_a_file_name_in_a_store_leads_nowhere_else(disk, tmp_path, capsys):
    (tmp_path / "secret").write_bytes(b"secret")
    os.symlink(tmp_path / "secret", disk / "link")
    names = ["../secret", str(tmp_path / "secret"), "link", "no/such", "a\0b", "."]
    with sqlite3.connect(disk / "cache.db") as database:
        database.execute("DELETE FROM Cache")
        for number, name in enumerate(names):
            database.execute(
                "INSERT INTO Cache (key, raw, mode, filename, store_time, access_time) VALUES (?, 1, 2, ?, 0, 0)",
                (number, name),
            )
    database.close()
    assert main(["import", "diskcache", str(disk), "--into", str(tmp_path / "new"), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["imported"] == 0


def test_a_simplecache_is_imported_without_eval(tmp_path, capsys):
    now = datetime.datetime.now().timestamp()
    rows = [
        ("projects_all", now + 3600, repr([{"id": 1, "name": "Tuttle's", "when": datetime.date(2026, 1, 1)}]), 0),
        ("json", now + 3600, json.dumps({"a": [True, None]}), 0),
        ("evil", now + 3600, f"open({str(tmp_path / 'made')!r}, 'w')", 0),
        ("gone", now - 1, "1", 0),
        ("summed", now + 3600, "1", 97),
        ("other_addon", now + 3600, "1", None),
        (None, now + 3600, "1", None),
        ("blob", now + 3600, b"\xff", None),
        ("when", "soon", "1", None),
    ]
    file = tmp_path / "kodi" / "simplecache.db"
    file.parent.mkdir()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE simplecache(id TEXT UNIQUE, expires INTEGER, data TEXT, checksum INTEGER)")
        database.executemany("INSERT INTO simplecache VALUES (?, ?, ?, ?)", rows)
    database.close()
    before = digest(file.parent)
    assert main(["import", "simplecache", str(file.parent), "--into", str(tmp_path / "new"), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["imported"] == 3 and report["skipped"]["it has a checksum"] == 1 and report["skipped"]["expired"] == 1
    assert not (tmp_path / "made").exists() and digest(file.parent) == before
    simple = SimpleCache(tmp_path / "new")
    assert simple.get("projects_all")[0] == {"id": 1, "name": "Tuttle's", "when": datetime.date(2026, 1, 1)}
    assert simple.get("json") == {"a": [True, None]} and simple.get("summed") is None
    assert main(["import", "simplecache", str(file), "--into", str(tmp_path / "mine"), "--prefix", "projects_"]) == 3
    with Cache(tmp_path / "mine") as mine:
        assert list(mine) == ["projects_all"]


@pytest.mark.parametrize("content", [None, b"", b"no database" * 100], ids=["missing", "empty", "garbage"])
@pytest.mark.parametrize("kind, name", [("diskcache", "cache.db"), ("simplecache", "simplecache.db")])
def test_what_is_no_such_store_is_said_so(tmp_path, capsys, kind, name, content):
    (tmp_path / "old").mkdir()
    if content is not None:
        (tmp_path / "old" / name).write_bytes(content)
    assert main(["import", kind, str(tmp_path / "old"), "--into", str(tmp_path / "new")]) == 1
    assert "not imported" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["import", kind, str(tmp_path / "old")])


def make_cmdarr(folder):
    """A store of Cmdarr: two entries to import, one each that is expired, broken, without a time, and a failure."""
    with sqlite3.connect(folder / "cmdarr_cache.db") as made:
        times = "created_at DATETIME, expires_at DATETIME"
        made.execute(f"CREATE TABLE api_cache(id INTEGER PRIMARY KEY, cache_key TEXT UNIQUE, source TEXT, data JSON, {times})")
        made.execute(
            "CREATE TABLE library_cache(id INTEGER PRIMARY KEY, cache_key TEXT UNIQUE, client_type TEXT, library_key TEXT,"
            f" schema_version TEXT, cache_data JSON, track_count INTEGER, {times})"
        )
        made.execute(f"CREATE TABLE failed_lookups(cache_key TEXT UNIQUE, source TEXT, error_reason TEXT, {times})")
        api = "INSERT INTO api_cache(cache_key, source, data, expires_at) VALUES (?, ?, ?, ?)"
        made.execute(api, ("artist:x", "lastfm", '{"similar": ["y"]}', "2999-01-02 03:04:05.678900"))
        made.execute(api, ("old", "lastfm", "1", "2001-01-02 03:04:05"))
        made.execute(api, ("broken", "lastfm", "{", "2999-01-02 03:04:05"))
        made.execute(api, ("timeless", "lastfm", "1", "soon"))
        library = "INSERT INTO library_cache(cache_key, client_type, cache_data, expires_at) VALUES (?, ?, ?, ?)"
        made.execute(library, ("plex:http://a:library:3", "plex", '{"tracks": [{"key": "1"}]}', None))
        made.execute("INSERT INTO failed_lookups VALUES ('gone', 'musicbrainz', 'none', NULL, NULL)")


def test_a_cmdarr_cache_is_imported_with_its_times_and_sources(tmp_path, capsys):
    make_cmdarr(tmp_path)
    before = hashlib.sha256((tmp_path / "cmdarr_cache.db").read_bytes()).hexdigest()
    assert main(["import", "cmdarr", str(tmp_path), "--dry-run"]) == 3 and "2 entries can be imported" in capsys.readouterr().out
    assert main(["import", "cmdarr", str(tmp_path), "--into", str(tmp_path / "into"), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["imported"] == 2
    assert report["skipped"] == {"expired": 1, "no JSON": 1, "a time that is none": 1, "a failed lookup": 1}
    with Cache(tmp_path / "into") as cache:
        assert cache.get("artist:x") == {"similar": ["y"]} and cache.lookup("artist:x").left_s > 1e9
        assert cache.get("plex:http://a:library:3") == {"tracks": [{"key": "1"}]}
        assert cache.evict("lastfm") == 1 and cache.evict("plex") == 1
    assert hashlib.sha256((tmp_path / "cmdarr_cache.db").read_bytes()).hexdigest() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cmdarr_cache.db", "into"]


@pytest.mark.parametrize("named", ["data", "data/cache"])
def test_both_caches_of_stash2plex_are_imported(tmp_path, capsys, named):
    with diskcache.Cache(str(tmp_path / "data/cache/cache")) as libraries:
        libraries.set("library:Films:all", [{"key": "/library/metadata/1", "title": "A", "file_paths": ["/a.mkv"]}], expire=3600)
    with diskcache.Cache(str(tmp_path / "data/cache/match_cache")) as matches:
        matches.set("match:Films:/a.mkv", "/library/metadata/1")
        matches.set("match:Films:/b.mkv", object())
    assert main(["import", "stash2plex", str(tmp_path / named), "--into", str(tmp_path / "into")]) == 3
    assert "2 entries imported, 1 skipped" in capsys.readouterr().out
    with Cache(tmp_path / "into") as cache:
        assert cache.get("match:Films:/a.mkv") == "/library/metadata/1"
        assert cache.get("library:Films:all")[0]["file_paths"] == ["/a.mkv"]
    assert main(["import", "stash2plex", str(tmp_path), "--dry-run"]) == 1, "neither of its folders"


def test_an_import_into_a_gateway_that_is_away_imports_nothing_and_says_so(tmp_path, capsys):
    with diskcache.Cache(str(tmp_path / "disk")) as disk:
        disk.set("a", 1)
    into = ["--url", f"unix://{tmp_path}/none.sock", "--cache", "worker"]
    assert main(["import", "diskcache", str(tmp_path / "disk"), *into]) == 3
    assert "0 entries imported, 1 skipped" in capsys.readouterr().out
    for wrong in (["--url", "ftp://x", "--cache", "worker"], ["--url", "http://x", "--cache", "No Name"]):
        assert main(["import", "diskcache", str(tmp_path / "disk"), *wrong]) == 1


DOUBLED = b"N" + b"2\x86" * 60


@pytest.mark.parametrize(
    "pickled", [DOUBLED + b".", b"}" + DOUBLED + b"Ns.", b"(" + DOUBLED + b"Nd.", b"]\x94h\x00a."], ids=["value", "key", "first key", "circle"]
)
def test_a_pickle_that_shares_parts_without_end_is_refused_at_once(pickled):
    """A tuple of two of a tuple of two and so on has 2^60 parts, in 120 bytes."""
    with pytest.raises(Unreadable):
        read_pickle(pickled)


@pytest.mark.parametrize("pickled", [b"c_codecs\nencode\nq\x00X\x00\x00\x10\x00" + b"x" * (1 << 20) + b"q\x01X\x06\x00\x00\x00latin1\x86q\x02" + b"h\x00h\x02R" * 65 + b"."])
def test_a_short_pickle_that_makes_bytes_without_end_is_refused(pickled):
    with pytest.raises(Unreadable, match="too large"):
        read_pickle(pickled)


@pytest.fixture(scope="module")
def daemon():
    """A gateway with caches for apps."""
    daemon = Daemon("importers")
    yield daemon
    daemon.stop()


def run_program(daemon, *arguments):
    """Exit code, and what the program's own `import` printed."""
    command = [str(BINARY), "import", *map(str, arguments), "--config", str(daemon.config)]
    run = subprocess.run(command, capture_output=True, text=True, env=own_environment(), timeout=60, check=False)
    return run.returncode, run.stdout, run.stderr


def test_the_program_imports_a_diskcache_as_the_client_reads_it(disk, tmp_path, daemon):
    before = digest(disk)
    dry = run_program(daemon, "diskcache", disk, "--cache", "worker", "--dry-run", "--json")
    with daemon.cache() as cache:
        assert (dry[0], json.loads(dry[1])["imported"], cache.get("plain")) == (3, 9, None), "nothing is written"
        code, told, _ = run_program(daemon, "diskcache", disk, "--cache", "worker", "--json")
        report = json.loads(told)
        assert (code, report["imported"], report["dry_run"]) == (3, 9, False)
        assert report["named"] == [
            {"key": "'evil'", "reason": "an object of io.open"},
            {"key": "'gone'", "reason": "expired"},
        ]
        assert digest(disk) == before and not (tmp_path / "made").exists()
        with diskcache.Cache(str(disk)) as old:
            for key in old:
                if key not in ("gone", "evil"):
                    assert cache.get(key) == old[key] and type(cache.get(key)) is type(old[key])
            _, ends, tag = cache.get("plain", expire_time=True, tag=True)
            assert tag == "red" and abs(ends - old.get("plain", expire_time=True)[1]) < 5
        cache.set("plain", "newer")
        assert "9 there already" in run_program(daemon, "diskcache", disk, "--cache", "worker")[1]
        assert cache.get("plain") == "newer"


def test_the_program_imports_the_other_kinds_of_stores(tmp_path, daemon):
    (tmp_path / "kodi").mkdir()
    rows = [
        ("projects_all", 4e9, repr([{"id": 1, "name": "Tuttle's", "when": datetime.date(2026, 1, 1)}]), 0),
        *(("evil", 4e9, f"open({str(tmp_path / 'made')!r}, 'w')", 0), ("summed", 4e9, "1", 97), ("other", 4e9, "1", None)),
    ]
    with sqlite3.connect(tmp_path / "kodi/simplecache.db") as database:
        database.execute("CREATE TABLE simplecache(id TEXT UNIQUE, expires INTEGER, data TEXT, checksum INTEGER)")
        database.executemany("INSERT INTO simplecache VALUES (?, ?, ?, ?)", rows)
    database.close()
    make_cmdarr(tmp_path)
    with diskcache.Cache(str(tmp_path / "data/cache/match_cache")) as matches:
        matches.set("match:Films:/a.mkv", "/library/metadata/1")
    before = digest(tmp_path)
    into = ["--cache", "other", "--json"]
    code, told, _ = run_program(daemon, "simplecache", tmp_path / "kodi", "--prefix", "projects_", *into)
    assert (code, json.loads(told)["imported"]) == (3, 1)
    code, told, _ = run_program(daemon, "cmdarr", tmp_path, *into)
    assert json.loads(told)["skipped"] == {"expired": 1, "no JSON": 1, "a time that is none": 1, "a failed lookup": 1}
    assert run_program(daemon, "stash2plex", tmp_path / "data", *into)[0] == 0
    assert digest(tmp_path) == before and not (tmp_path / "made").exists()
    with daemon.cache("other") as cache:
        assert cache.get("projects_all") == [{"id": 1, "name": "Tuttle's", "when": datetime.date(2026, 1, 1)}]
        assert cache.get("artist:x") == {"similar": ["y"]} and cache.get("other") is None
        assert cache.get("plex:http://a:library:3") == {"tracks": [{"key": "1"}]}
        assert cache.get("match:Films:/a.mkv") == "/library/metadata/1"
    code, _, told = run_program(daemon, "stash2plex", tmp_path, "--cache", "other")
    assert code == 1 and "not imported" in told


def test_the_program_reads_a_store_in_use_and_no_file_outside_of_it(disk, tmp_path, daemon):
    with diskcache.Cache(str(tmp_path / "used")) as used:
        used.set("key", "in the log")
        assert os.path.getsize(tmp_path / "used" / "cache.db-wal") > 0
        before = digest(tmp_path / "used")
        code, told, _ = run_program(daemon, "diskcache", tmp_path / "used", "--cache", "other", "--dry-run", "--json")
        assert (code, json.loads(told)["imported"], digest(tmp_path / "used")) == (0, 1, before)
    (tmp_path / "secret").write_bytes(b"secret")
    os.symlink(tmp_path / "secret", disk / "link")
    names = ["../secret", str(tmp_path / "secret"), "link", "no/such", "a\0b", "."]
    with sqlite3.connect(disk / "cache.db") as database:
        database.execute("DELETE FROM Cache")
        for number, name in enumerate(names):
            database.execute(
                "INSERT INTO Cache (key, raw, mode, filename, store_time, access_time) VALUES (?, 1, 2, ?, 0, 0)",
                (number, name),
            )
    database.close()
    code, told, _ = run_program(daemon, "diskcache", disk, "--cache", "other", "--dry-run", "--json")
    assert code == 3 and json.loads(told)["skipped"] == {"a file outside of the folder": 4, "its file is missing": 2}


@pytest.mark.parametrize("content", [None, b"", b"no database" * 100], ids=["missing", "empty", "garbage"])
@pytest.mark.parametrize("kind, name", [("diskcache", "cache.db"), ("simplecache", "simplecache.db"), ("cmdarr", "cmdarr_cache.db")])
def test_the_program_says_what_is_no_such_store(tmp_path, daemon, kind, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, _, told = run_program(daemon, kind, tmp_path, "--cache", "other")
    assert code == 1 and "not imported" in told
