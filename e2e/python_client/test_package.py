"""The package: built, installed where nothing else is, typed, and of Python 3.8."""

import ast
import pathlib
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

import greenroom

PROJECT = pathlib.Path(__file__).parents[2] / "clients" / "python"
SOURCE = PROJECT / "src" / "greenroom"

USE = """
import sys, greenroom
assert "site-packages" in greenroom.__file__, greenroom.__file__
cache = greenroom.Cache(sys.argv[1])
assert cache.set("key", {"a": [1, (2, 3)]}) and cache.get("key") == {"a": [1, (2, 3)]}
print(greenroom.__version__)
"""


def run(*command, **options):
    """Runs a program to its end; fails with what it said if it failed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist, built from a copy."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    # The wheel is built from the sdist, so that the sdist is known to be whole.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "project")
    (wheel,), (sdist,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


def test_wheel_and_sdist_hold_all_of_the_source_and_nothing_else(built):
    wheel, sdist = built
    modules = {str(path.relative_to(SOURCE.parent)) for path in SOURCE.rglob("*") if path.suffix in (".py", ".typed")}
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
        metadata = files.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert {name for name in names if "dist-info" not in name} == modules and "greenroom/py.typed" in names
    assert wheel.name == f"greenroom_client-{greenroom.__version__}-py3-none-any.whl"
    assert "Requires-Dist" not in metadata and "Requires-Python: >=3.8" in metadata and "LICENSE-MIT" in metadata
    with tarfile.open(sdist) as files:
        inside = {name.split("/", 1)[1] for name in files.getnames() if "/" in name}
    assert {f"src/{name}" for name in modules} | {"README.md", "LICENSE-MIT", "LICENSE-APACHE"} <= inside


def test_the_wheel_works_in_an_environment_without_anything_else(built, tmp_path):
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", built[0])
    options = {"cwd": tmp_path, "env": {"PATH": "/usr/bin:/bin"}}
    assert run(python, "-W", "error", "-c", USE, tmp_path / "cache", **options).strip() == greenroom.__version__
    assert "import" in run(python, "-m", "greenroom", "--help", **options)


def test_types_hold_strictly():
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml", "--cache-dir", "/dev/null"]
    assert "Success" in run(*command, cwd=PROJECT)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_source_is_python_3_8_and_small(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    lines = path.read_text().splitlines()
    assert len(lines) <= 400 and max(map(len, lines)) <= 120
    assert ast.get_docstring(tree), "says what it is"
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__"}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    imported = {alias.name.split(".")[0] for node in imports for alias in node.names}
    assert "pickle" not in imported and imported <= set(sys.stdlib_module_names)


def test_everything_public_says_what_it_does():
    bare = []
    for name in greenroom.__all__:
        thing = getattr(greenroom, name)
        members = vars(thing).items() if isinstance(thing, type) else []
        for member, value in [("", thing), *members]:
            if not member.startswith("_") and callable(value) and not (value.__doc__ or "").strip():
                bare.append(f"{name}.{member}")
    assert not bare


def test_what_a_kodi_menu_needs_is_imported_without_asyncio_or_http():
    heavy = "{name for name in sys.modules if name in ('asyncio', 'http.client', 'ssl', 'cProfile')}"
    code = f"import greenroom, sys; greenroom.Cache; greenroom.Deferred; print({heavy} or 'light')"
    options = {"env": {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SOURCE.parent)}}
    assert run(sys.executable, "-S", "-c", code, **options) == "light\n"
    code = "import greenroom; print(callable(greenroom.events), greenroom.Event.__name__, callable(greenroom.libraries))"
    assert run(sys.executable, "-c", code, **options) == "True Event True\n"
