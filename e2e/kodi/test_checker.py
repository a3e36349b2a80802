"""Kodi's own checker of add-ons, unmodified: it finds nothing in ours, and it does find what is planted."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from kodi import repository as lists

ROOT = pathlib.Path(__file__).parents[2]
CHECKER = pathlib.Path(sys.executable).with_name("kodi-addon-checker")
PLUGIN, MODULE = "plugin.video.greenroom.example", "script.module.greenroom"
BRANCHES = ("nexus", "omega")
# The checker leaves these out unless a file in the add-on asks for them.
OPTIONAL_CHECKS = ("check_license_file_exists", "check_kodi_leia_deprecations")


@pytest.fixture(scope="module")
def repository():
    """What the checker believes to be Kodi's repository."""
    repository = lists.Repository()
    yield repository
    repository.stop()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Both add-ons, as they are installed."""
    out = tmp_path_factory.mktemp("addons")
    subprocess.run([sys.executable, ROOT / "clients" / "kodi" / "build.py", out], check=True, capture_output=True)
    for name in (PLUGIN, MODULE):
        (out / name / ".tests-config.json").write_text(json.dumps({check: True for check in OPTIONAL_CHECKS}))
    return out


def checked(folder, repository, branch="nexus"):
    """Exit code of the checker, and what it said."""
    repository.holds(lists.MODULE if folder.name == PLUGIN else lists.PLUGIN)
    environment = {name: value for name, value in os.environ.items() if name.lower() not in ("no_proxy", "http_proxy")}
    done = subprocess.run(
        [CHECKER, "--branch", branch, folder],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder.parent,
        env=environment | {"http_proxy": repository.url, "https_proxy": repository.url},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, re.sub(r"\x1b\[\d+m", "", done.stdout)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("name", [PLUGIN, MODULE])
def test_the_checker_finds_neither_problems_nor_warnings(built, repository, name, branch):
    code, said = checked(built / name, repository, branch)
    assert (code, "no problems and no warnings" in said) == (0, True), said
    # It did look: it asked the repository, and names what it has found in order.
    assert any(f"/addons/{branch}/addons.xml.gz" in path for path in repository.asked)
    assert (
        f"Checking add-on {name}" in said
        and "Addon id matches folder name" in said
        and "icon dimensions are fine" in said
    )


def broken_xml(folder):
    """Settings that are no XML."""
    (folder / "resources" / "settings.xml").write_text("<settings><section></settings>")


def missing_licence(folder):
    """No licence."""
    (folder / "LICENSE.txt").unlink()


def unknown_dependency(folder):
    """An add-on that requires a version of our module that there is not."""
    text = (folder / "addon.xml").read_text()
    (folder / "addon.xml").write_text(
        text.replace('"script.module.greenroom" version="0.1.0"', '"script.module.greenroom" version="9.0.0"')
    )


def executable_file(folder):
    """A file that is marked as a program."""
    (folder / "main.py").chmod(0o755)


def small_icon(folder):
    """An icon of another size."""
    (folder / "resources" / "icon.png").write_bytes((folder / "resources" / "fanart.png").read_bytes())


@pytest.mark.parametrize("plant", [broken_xml, missing_licence, unknown_dependency, executable_file, small_icon])
def test_the_checker_fails_on_a_planted_error(built, repository, tmp_path, plant):
    folder = tmp_path / PLUGIN
    shutil.copytree(built / PLUGIN, folder)
    plant(folder)
    code, said = checked(folder, repository)
    assert code == 1 and "We found 1 problems" in said, said
