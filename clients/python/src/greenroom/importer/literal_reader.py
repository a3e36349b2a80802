"""A reader of what `repr` wrote: plain values and dates. Nothing is evaluated."""

from __future__ import annotations

import ast
import datetime
import re
from typing import Any, Callable, Dict, List, Tuple

from .unreadable import Unreadable

DEPTH_MAX = 100
CHARACTERS_MAX = 64 << 20
DIGITS_MAX = 4000

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>b?'(?:[^'\\\n]|\\.)*'|b?"(?:[^"\\\n]|\\.)*")
    |(?P<number>[-+]?(?:[0-9]+\.[0-9]*(?:e[-+]?[0-9]+)?|\.[0-9]+|[0-9]+e[-+]?[0-9]+|[0-9]+))
    |(?P<name>-?[A-Za-z_][A-Za-z_.0-9]*)
    |(?P<sign>[][(){},:=]))""",
    re.VERBOSE,
)
_WORDS: Dict[str, Any] = {
    **{"None": None, "True": True, "False": False},
    **{"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")},
    **{"null": None, "true": True, "false": False, "datetime.timezone.utc": datetime.timezone.utc},
}
_CALLS: Dict[str, Callable[..., Any]] = {
    "datetime.datetime": datetime.datetime,
    "datetime.date": datetime.date,
    "datetime.timedelta": datetime.timedelta,
    "datetime.timezone": datetime.timezone,
}
_CLOSING = {"[": "]", "(": ")", "{": "}"}


def read_literal(text: str) -> Any:
    """Return the value of a text that `repr` or JSON wrote. Raises Unreadable for anything but plain values."""
    if len(text) > CHARACTERS_MAX:
        raise Unreadable("too large")
    reader = _Reader(text)
    try:
        value = reader.value(0)
    except Unreadable:
        raise
    except (TypeError, ValueError, OverflowError, SyntaxError, RecursionError) as error:
        raise Unreadable(f"no plain value ({type(error).__name__})") from None
    if reader.kind:
        raise Unreadable("more than one value")
    return value


class _Reader:
    """The text from a token on."""

    def __init__(self, text: str) -> None:
        self._text, self._place = text, 0
        self.kind, self.token = "", ""
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self._text, self._place)
        if found is None:
            if self._text[self._place :].strip():
                raise Unreadable("no plain value")
            self.kind = self.token = ""
            return
        self._place = found.end()
        self.kind = str(found.lastgroup)
        self.token = found.group(self.kind)

    def value(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise Unreadable("nested too deeply")
        kind, token = self.kind, self.token
        self.advance()
        if kind == "text":
            return self._texts(token)
        if kind == "number":
            return _number(token)
        if kind == "name":
            return self._call(token, depth) if self.token == "(" else _word(token)
        if token == "{":
            return self._braces(depth)
        if token in _CLOSING:
            return self._sequence(token, depth)
        raise Unreadable("no plain value")

    def _texts(self, token: str) -> Any:
        # A single string token: this decodes its escapes and can do nothing else.
        return ast.literal_eval(token)

    def _sequence(self, opening: str, depth: int) -> Any:
        items: List[Any] = []
        commas = 0
        while self.token != _CLOSING[opening] or self.kind != "sign":
            items.append(self.value(depth + 1))
            commas += self._comma(_CLOSING[opening])
        self.advance()
        if opening == "[":
            return items
        # Parentheses around one value without a comma are only parentheses.
        return items[0] if len(items) == 1 and not commas else tuple(items)

    def _braces(self, depth: int) -> Dict[Any, Any]:
        items: Dict[Any, Any] = {}
        while self.token != "}" or self.kind != "sign":
            key = self.value(depth + 1)
            self._expect(":")
            items[key] = self.value(depth + 1)
            self._comma("}")
        self.advance()
        return items

    def _call(self, name: str, depth: int) -> Any:
        if name not in _CALLS:
            raise Unreadable(f"an object of {name[:64]}")
        self._expect("(")
        args, kwargs = [], {}  # type: Tuple[List[Any], Dict[str, Any]]
        while self.token != ")" or self.kind != "sign":
            if self.kind == "name" and self._text[self._place : self._place + 1] == "=":
                word = self.token
                self.advance()
                self._expect("=")
                kwargs[word] = self.value(depth + 1)
            else:
                args.append(self.value(depth + 1))
            self._comma(")")
        self.advance()
        return _CALLS[name](*args, **kwargs)

    def _comma(self, closing: str) -> int:
        if self.kind == "sign" and self.token == ",":
            self.advance()
            return 1
        if self.kind != "sign" or self.token != closing:
            raise Unreadable("no plain value")
        return 0

    def _expect(self, sign: str) -> None:
        if self.kind != "sign" or self.token != sign:
            raise Unreadable("no plain value")
        self.advance()


def _number(token: str) -> Any:
    if len(token) > DIGITS_MAX:
        raise Unreadable("a number of too many digits")
    return float(token) if any(letter in token for letter in ".e") else int(token)


def _word(token: str) -> Any:
    if token not in _WORDS:
        raise Unreadable(f"an object of {token[:64]}")
    return _WORDS[token]
