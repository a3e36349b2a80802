"""A reader of pickles that makes plain values only.

It interprets the opcodes that plain values need and refuses all others. Nothing is imported, looked up or called,
except the constructors of dates, by name from a closed list.
"""

from __future__ import annotations

import datetime
import pickletools
from typing import Any, Callable, Dict, List, Tuple

from .unreadable import Unreadable

PICKLE_BYTES_MAX = 64 << 20
OPCODES_MAX = 20_000_000
# Parts of a value written out. A tuple that holds another one twice is two of it, so a short pickle can be endless.
PARTS_MAX = 10_000_000

_MARK = object()


class _Named:
    """A name that a pickle refers to, from the closed list."""

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self.name, self.make = name, make


def _datetime(*parts: Any) -> datetime.datetime:
    if parts and isinstance(parts[0], (bytes, str)):
        return _datetime_of_bytes(_latin(parts[0]), *parts[1:])
    return datetime.datetime(*parts)


def _datetime_of_bytes(packed: bytes, zone: Any = None) -> datetime.datetime:
    if len(packed) != 10 or zone is not None and not isinstance(zone, datetime.tzinfo):
        raise Unreadable("a malformed datetime")
    year, micros = packed[0] * 256 + packed[1], int.from_bytes(packed[7:10], "big")
    # The highest bit of the month is the fold.
    month, fold = packed[2] & 0x7F, packed[2] >> 7
    day, hour, minute, second = packed[3:7]
    return datetime.datetime(year, month, day, hour, minute, second, micros, zone, fold=fold)


def _date(*parts: Any) -> datetime.date:
    if len(parts) == 1 and isinstance(parts[0], (bytes, str)):
        packed = _latin(parts[0])
        if len(packed) != 4:
            raise Unreadable("a malformed date")
        return datetime.date(packed[0] * 256 + packed[1], packed[2], packed[3])
    return datetime.date(*parts)


def _latin(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


def _encoded(text: Any, encoding: Any) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise Unreadable("bytes in an unknown encoding")
    return str(text).encode("latin-1")


_NAMES: Dict[Tuple[str, str], Callable[..., Any]] = {
    ("datetime", "datetime"): _datetime,
    ("datetime", "date"): _date,
    ("datetime", "timedelta"): datetime.timedelta,
    ("datetime", "timezone"): datetime.timezone,
    # How older protocols write bytes.
    ("_codecs", "encode"): _encoded,
    ("builtins", "bytes"): lambda: b"",
    ("__builtin__", "bytes"): lambda: b"",
}


def read_pickle(data: bytes) -> Any:
    """Return the value of a pickle of any protocol.

    Reads str, bytes, int, float, bool, None, list, tuple, dict, date, datetime, timedelta. Raises Unreadable for
    anything else, and for data that is no pickle.
    """
    if len(data) > PICKLE_BYTES_MAX:
        raise Unreadable("too large")
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > OPCODES_MAX:
                raise Unreadable("too many parts")
            if opcode.name == "STOP":
                return machine.finished()
            machine.step(opcode.name, argument)
    except Unreadable:
        raise
    except Exception as error:
        # Whatever is wrong with foreign bytes, they are not read.
        raise Unreadable(f"no pickle ({type(error).__name__})") from None
    raise Unreadable("cut off")


class _Machine:
    """The stack and the memo."""

    def __init__(self) -> None:
        self.stack: List[Any] = []
        self.memo: Dict[int, Any] = {}

    def finished(self) -> Any:
        if len(self.stack) != 1 or self.stack[0] is _MARK or isinstance(self.stack[0], _Named):
            raise Unreadable("no plain value")
        _count_parts(self.stack[0])
        return self.stack[0]

    def step(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _ARGUMENTS:
            self.stack.append(argument)
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name not in ("PROTO", "FRAME"):
            action = _ACTIONS.get(name)
            if action is None:
                raise Unreadable(f"opcode {name}")
            action(self, argument)

    def pop(self) -> Any:
        top = self.stack.pop()
        if top is _MARK:
            raise Unreadable("no pickle (mark)")
        return top

    def to_mark(self) -> List[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                if any(isinstance(item, _Named) for item in items):
                    raise Unreadable("a name as a value")
                return items
        raise Unreadable("no pickle (mark)")

    def take(self, count: int) -> List[Any]:
        items = [self.pop() for _ in range(count)][::-1]
        if any(isinstance(item, _Named) for item in items):
            raise Unreadable("a name as a value")
        return items

    def extend(self, items: List[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise Unreadable("no pickle (list)")
        self.stack[-1].extend(items)

    def update(self, items: List[Any]) -> None:
        if type(self.stack[-1]) is not dict or len(items) % 2:
            raise Unreadable("no pickle (dict)")
        self.stack[-1].update(_dict_of(items))

    def name(self, module: Any, name: Any) -> None:
        make = _NAMES.get((module, name))
        if make is None:
            raise Unreadable(f"an object of {str(module)[:64]}.{str(name)[:64]}")
        self.stack.append(_Named(name, make))

    def call(self) -> None:
        arguments, named = self.pop(), self.pop()
        if not isinstance(named, _Named) or type(arguments) is not tuple:
            raise Unreadable("a call")
        self.stack.append(named.make(*arguments))

    def remember(self, place: int) -> None:
        if self.stack[-1] is _MARK:
            raise Unreadable("no pickle (mark)")
        self.memo[place] = self.stack[-1]


def _dict_of(items: List[Any]) -> Dict[Any, Any]:
    for key in items[::2]:
        # Before it is hashed.
        _count_parts(key)
    return dict(zip(items[::2], items[1::2]))


def _count_parts(value: Any) -> int:
    """Return how many parts a value has, shared ones each time. Raises Unreadable beyond PARTS_MAX, or for a circle."""
    counts: Dict[int, int] = {}
    open_parts = set()
    stack = [(value, False)]
    while stack:
        part, is_done = stack.pop()
        if not isinstance(part, (list, tuple, dict)):
            continue
        inner = [*part.keys(), *part.values()] if isinstance(part, dict) else part
        if is_done:
            counts[id(part)] = 1 + sum(counts.get(id(item), 1) for item in inner)
            open_parts.discard(id(part))
            if counts[id(part)] > PARTS_MAX:
                raise Unreadable("too many parts")
        elif id(part) in open_parts:
            raise Unreadable("a value within itself")
        elif id(part) not in counts:
            open_parts.add(id(part))
            stack.append((part, True))
            stack += [(item, False) for item in inner]
    return counts.get(id(value), 1)


_CONSTANTS: Dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK}
_EMPTY: Dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict}
_ARGUMENTS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE BINUNICODE BINUNICODE8 SHORT_BINUNICODE "
    "BINBYTES BINBYTES8 SHORT_BINBYTES".split()
)
_ACTIONS: Dict[str, Callable[[_Machine, Any], None]] = {
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(machine.take(1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(machine.take(2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(machine.take(3))),
    "LIST": lambda machine, _: machine.stack.append(machine.to_mark()),
    "DICT": lambda machine, _: machine.stack.append(_dict_of(machine.to_mark())),
    "APPEND": lambda machine, _: machine.extend(machine.take(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "SETITEM": lambda machine, _: machine.update(machine.take(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.to_mark()),
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.take(2)),
    "REDUCE": lambda machine, _: machine.call(),
    "POP": lambda machine, _: machine.stack.__delitem__(-1),
    "POP_MARK": lambda machine, _: machine.to_mark().clear(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    "PUT": lambda machine, argument: machine.remember(argument),
    "BINPUT": lambda machine, argument: machine.remember(argument),
    "LONG_BINPUT": lambda machine, argument: machine.remember(argument),
    "GET": lambda machine, argument: machine.stack.append(machine.memo[argument]),
    "BINGET": lambda machine, argument: machine.stack.append(machine.memo[argument]),
    "LONG_BINGET": lambda machine, argument: machine.stack.append(machine.memo[argument]),
}
