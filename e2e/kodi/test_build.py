"""The two zips: what is in them, and that it is what the Python client is."""

import ast
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
ADDON = ROOT / "clients" / "kodi" / "plugin.video.greenroom.example"
CLIENT = ROOT / "clients" / "python" / "src"
LOGIC = sorted((ADDON / "resources" / "lib").glob("*.py"))


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """The files of both zips by name of the add-on, and the paths of the zips."""
    out = tmp_path_factory.mktemp("zips")
    command = [sys.executable, ROOT / "clients" / "kodi" / "build.py", out]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return {pathlib.Path(path).name.rsplit("-", 1)[0]: pathlib.Path(path) for path in made}


def files(path):
    """The content of a zip by path."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_module_is_the_python_client_file_by_file(zips):
    module = files(zips["script.module.greenroom"])
    prefix = "script.module.greenroom/lib/"
    packed = {name[len(prefix) :]: content for name, content in module.items() if name.startswith(prefix)}
    assert packed == {str(path.relative_to(CLIENT)): path.read_bytes() for path in CLIENT.rglob("*.py")}


def test_each_zip_is_one_folder_with_a_licence_and_pictures(zips):
    for name, path in zips.items():
        packed = files(path)
        assert all(file.startswith(f"{name}/") for file in packed)
        assert {f"{name}/addon.xml", f"{name}/LICENSE.txt", f"{name}/resources/icon.png"} <= set(packed)
        assert not [file for file in packed if "__pycache__" in file or file.endswith(".pyc")]
        assert b"Permission is hereby granted" in packed[f"{name}/LICENSE.txt"]
        assert ElementTree.fromstring(packed[f"{name}/addon.xml"]).get("id") == name


def test_the_same_source_makes_the_same_zips(zips, tmp_path):
    subprocess.run([sys.executable, ROOT / "clients" / "kodi" / "build.py", tmp_path], check=True, capture_output=True)
    for path in zips.values():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_settings_and_their_texts_agree_with_the_code():
    settings = ElementTree.parse(ADDON / "resources" / "settings.xml").getroot()
    read = (ADDON / "resources" / "lib" / "settings.py").read_text()
    texts = (ADDON / "resources" / "language" / "resource.language.en_gb" / "strings.po").read_text()
    for setting in settings.iter("setting"):
        assert setting.get("type") == "action" or f'"{setting.get("id")}"' in read, setting.get("id")
    numbers = {setting.get(name) for setting in settings.iter() for name in ("label", "help") if setting.get(name)}
    from resources.lib.host import Text

    numbers |= {str(int(text)) for text in Text}
    assert numbers and all(f'msgctxt "#{number}"' in texts for number in numbers)
    from kodi.fake_host import FakeHost
    from resources.lib.settings import read_settings

    shown = {setting.get("id"): setting.findtext("default") or "" for setting in settings.iter("setting")}
    told = FakeHost("", [], shown | {"api_token": ""})
    assert read_settings(told) == read_settings(
        FakeHost("", [], {"api_url": shown["api_url"], "api_token": "", **{"enable_performance_logging": "false"}})
    )


@pytest.mark.parametrize("path", [ADDON / "main.py", *LOGIC], ids=lambda path: path.name)
def test_the_source_is_python_3_8_and_only_one_file_knows_kodi(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    lines = path.read_text().splitlines()
    assert len(lines) <= 400 and max(map(len, lines)) <= 120 and ast.get_docstring(tree)
    imports = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imports += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    known = [name for name in imports if name.startswith("xbmc")]
    assert bool(known) == (path.name == "kodi_host.py"), known
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__"} and "pickle" not in imports


def test_types_hold_strictly():
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "/dev/null", "--ignore-missing-imports"]
    command += ["--explicit-package-bases", "--disable-error-code", "misc", "resources/lib"]
    done = subprocess.run(
        command,
        cwd=ADDON,
        capture_output=True,
        text=True,
        env={"MYPYPATH": f"{CLIENT}:{ADDON}", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
