"""A reader of pickles that makes plain values only.

It interprets the opcodes that plain values need and refuses all others. Nothing is imported, looked up or called,
except the constructors of dates, by name from a closed list.
"""

from __future__ import annotations

import datetime
import pickletools
from typing import Any, Callable, Dict, List, NamedTuple, Set, Tuple

from .unreadable import Unreadable

PICKLE_BYTES_MAX = 64 << 20
OPCODES_MAX = 20_000_000
# A pickle may name one value many times: 120 bytes are a tuple of 2^60 parts. What counts is its size written out, each
# part and each PARCEL_BYTES of text as one.
PARTS_MAX = 10_000_000
PARCEL_BYTES = 16
DEPTH_MAX = 100

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
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise Unreadable("bytes in an unknown encoding")
    return text.encode("latin-1")


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


class _Extent(NamedTuple):
    """Parts of a value written out, and how deep it is nested."""

    parts: int
    depth: int


def _extent(value: Any) -> _Extent:
    """Return the extent of a value, looking at each of its objects once. Raises Unreadable beyond the limits."""
    known: Dict[int, _Extent] = {}
    # Containers whose items are being looked at.
    open_ids: Set[int] = set()
    left: List[Tuple[Any, bool]] = [(value, False)]
    while left:
        thing, is_left = left.pop()
        if id(thing) in known:
            continue
        inner = _items(thing)
        if is_left:
            found = [known[id(item)] for item in inner]
            parts, depth = 1 + sum(item.parts for item in found), 1 + max((item.depth for item in found), default=0)
            if parts > PARTS_MAX or depth > DEPTH_MAX:
                raise Unreadable("too many parts" if parts > PARTS_MAX else "nested too deeply")
            known[id(thing)] = _Extent(parts, depth)
            open_ids.discard(id(thing))
        elif isinstance(thing, (tuple, list, dict)):
            if id(thing) in open_ids:
                raise Unreadable("a value within itself")
            open_ids.add(id(thing))
            left.append((thing, True))
            left.extend((item, False) for item in inner)
        else:
            known[id(thing)] = _Extent(1 + _weight(thing), 0)
    return known[id(value)]


def _items(thing: Any) -> List[Any]:
    if isinstance(thing, dict):
        return [*thing.keys(), *thing.values()]
    return list(thing) if isinstance(thing, (tuple, list)) else []


def _weight(leaf: Any) -> int:
    if isinstance(leaf, (str, bytes)):
        return len(leaf) // PARCEL_BYTES
    return leaf.bit_length() // (8 * PARCEL_BYTES) if isinstance(leaf, int) else 0


class _Machine:
    """The stack and the memo."""

    def __init__(self) -> None:
        self.stack: List[Any] = []
        self.memo: Dict[int, Any] = {}
        # Parts of the keys of dicts, each of which is looked at as a whole.
        self.key_parts = 0
        # Bytes made by calls, which a short pickle can repeat.
        self.made_bytes = 0

    def finished(self) -> Any:
        if len(self.stack) != 1 or self.stack[0] is _MARK or isinstance(self.stack[0], _Named):
            raise Unreadable("no plain value")
        _extent(self.stack[0])
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

    def new_dict(self, items: List[Any]) -> None:
        self.stack.append({})
        self.update(items)

    def update(self, items: List[Any]) -> None:
        if type(self.stack[-1]) is not dict or len(items) % 2:
            raise Unreadable("no pickle (dict)")
        for key, value in zip(items[::2], items[1::2]):
            if type(key) is tuple:
                self.key_parts += _extent(key).parts
                if self.key_parts > PARTS_MAX:
                    raise Unreadable("too many parts")
            self.stack[-1][key] = value

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise Unreadable("no pickle (name)")
        make = _NAMES.get((module, name))
        if make is None:
            raise Unreadable(f"an object of {str(module)[:64]}.{str(name)[:64]}")
        self.stack.append(_Named(name, make))

    def call(self) -> None:
        arguments, named = self.pop(), self.pop()
        if not isinstance(named, _Named) or type(arguments) is not tuple:
            raise Unreadable("a call")
        made = named.make(*arguments)
        if type(made) is bytes:
            self.made_bytes += len(made)
            if self.made_bytes > PICKLE_BYTES_MAX:
                raise Unreadable("too large")
        self.stack.append(made)

    def remember(self, place: int) -> None:
        if self.stack[-1] is _MARK:
            raise Unreadable("no pickle (mark)")
        self.memo[place] = self.stack[-1]


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
    "DICT": lambda machine, _: machine.new_dict(machine.to_mark()),
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
