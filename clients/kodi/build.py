"""Builds the Kodi add-ons: `python3 clients/kodi/build.py [FOLDER]`, by default target/kodi.

Makes a folder and a zip for each. The module's code is the Python client's, the pictures are painted here, the licence
is the project's: none of them is in the tree twice.
"""

import pathlib
import re
import shutil
import struct
import sys
import zipfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CLIENT = ROOT / "clients" / "python"
MODULE = "script.module.greenroom"
PLUGIN = "plugin.video.greenroom.example"
# Of the earliest date that a zip can hold, so that equal content makes equal zips.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
ICON_EDGE = 256
FANART_SIZE = (1280, 720)
BACKGROUND = (24, 44, 36)
LEAF = (96, 190, 120)


def png(width, height, colour_at):
    """Return a PNG whose pixel in a row and column has the colour `colour_at(column, row)`."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = bytearray()
    for row in range(height):
        rows.append(0)
        for column in range(width):
            rows += bytes(colour_at(column, row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + chunk(b"IEND", b"")
    )


def icon():
    """Return the icon: a door that stands open a little."""

    def colour_at(column, row):
        in_frame = 64 <= column < 192 and 40 <= row < 224
        in_light = 80 <= column < 128 and 56 <= row < 224
        return LEAF if in_frame and not in_light else (236, 240, 220) if in_light else BACKGROUND

    return png(ICON_EDGE, ICON_EDGE, colour_at)


def fanart():
    """Return the fanart: the wall of a room, lighter towards the door."""
    width, height = FANART_SIZE
    shades = [tuple(channel + (column * 40) // width for channel in BACKGROUND) for column in range(width)]
    return png(width, height, lambda column, row: shades[column])


def licence():
    """Return the text of the two licences."""
    texts = [(ROOT / name).read_text() for name in ("LICENSE-MIT", "LICENSE-APACHE")]
    return "MIT or Apache-2.0, as you like.\n\n" + ("\n" + "-" * 78 + "\n\n").join(texts)


def version_of_client():
    """Return the version of the Python client."""
    return re.search(r'^version = "([^"]+)"', (CLIENT / "pyproject.toml").read_text(), re.MULTILINE).group(1)


def build_module(folder):
    """Make the folder of the module, with the client in it."""
    shutil.copytree(HERE / MODULE, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "py.typed")
    shutil.copytree(CLIENT / "src" / "greenroom", folder / "lib" / "greenroom", ignore=ignored)
    write(folder / "resources" / "icon.png", icon())
    declared = re.search(r'<addon [^>]*version="([^"]+)"', (folder / "addon.xml").read_text()).group(1)
    if declared != version_of_client():
        sys.exit(f"{MODULE}/addon.xml says version {declared}, the Python client is {version_of_client()}")


def build_plugin(folder):
    """Make the folder of the example add-on."""
    shutil.copytree(HERE / PLUGIN, folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    write(folder / "resources" / "icon.png", icon())
    write(folder / "resources" / "fanart.png", fanart())


def write(path, content):
    """Write bytes, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def pack(folder):
    """Make the zip of an add-on's folder beside it, as Kodi installs it."""
    version = re.search(r'<addon [^>]*version="([^"]+)"', (folder / "addon.xml").read_text()).group(1)
    path = folder.with_name(f"{folder.name}-{version}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            info = zipfile.ZipInfo(str(file.relative_to(folder.parent)), ZIP_DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return path


def build(out):
    """Build both add-ons in the folder `out` and return their folders."""
    folders = []
    for name, make in ((MODULE, build_module), (PLUGIN, build_plugin)):
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        make(folder)
        write(folder / "LICENSE.txt", licence().encode())
        for file in folder.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
        folders.append(folder)
    return folders


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target" / "kodi"
    target.mkdir(parents=True, exist_ok=True)
    for built in build(target):
        print(pack(built))
