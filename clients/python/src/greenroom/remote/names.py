"""Keys and tags as the daemon knows them: texts.

A key that is a text is that text, so that other programs find it. Any other key is U+0001 and its bytes in hexadecimal,
which keeps prefixes.
"""

from __future__ import annotations

import urllib.parse

MARK = "\x01"
KEY_BYTES_MAX = 8192


def text_of(encoded: bytes) -> str:
    """Return the text of an encoded key or tag."""
    if encoded[:1] == b"s" and len(encoded) > 1 and encoded[1] != 1:
        try:
            return encoded[1:].decode("utf-8")
        except UnicodeDecodeError:
            pass
    return MARK + encoded.hex()


def is_key(encoded: bytes) -> bool:
    """Return whether a key is short enough for the daemon."""
    return len(text_of(encoded).encode("utf-8")) <= KEY_BYTES_MAX


def encoded_of(text: str) -> bytes:
    """Return the encoded key or tag of a text; one that is not ours stands for itself."""
    if text[:1] == MARK:
        try:
            return bytes.fromhex(text[1:])
        except ValueError:
            pass
    return b"s" + text.encode("utf-8", "surrogatepass")


def prefix_of(encoded: bytes) -> str:
    """Return the prefix of the texts of all keys whose bytes begin so; that of all text keys is the prefix of all."""
    return "" if encoded in (b"", b"s") else text_of(encoded)


def quoted(text: str) -> str:
    """Return a text as one segment of a path. Dots are encoded as well, because `..` is no key to some."""
    return urllib.parse.quote(text, safe="").replace(".", "%2E")
