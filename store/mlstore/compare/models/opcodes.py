"""The opcodes of pickle protocols 0 to 5, each a function on the machine."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

from mlstore.compare.models.machine import Machine
from mlstore.compare.models.nodes import Big, Dict, Made, Set, Unknown

Step = Callable[[Machine], None]
_LARGEST_KEPT = 64 << 20
_LONGEST_NUMBER = 1 << 16


def _number(machine: Machine, size: int, *, signed: bool = False) -> int:
    return int.from_bytes(machine.source.read(size, 8), "little", signed=signed)


def _take(machine: Machine, size: int) -> bytes | Big:
    """Read bytes: kept if they are few enough, else only hashed."""
    if size < 0:
        raise machine.damaged("a length is negative")
    if size <= min(_LARGEST_KEPT, machine.trace.memory // 2):
        data = machine.source.read(size, _LARGEST_KEPT)
        machine.trace.spend(size)
        return data
    hasher = hashlib.blake2b(digest_size=16)
    for piece in machine.source.stream(size):
        hasher.update(piece)
    return Big(size, hasher.hexdigest())


def _bytes(width: int) -> Step:
    return lambda machine: machine.push(_take(machine, _number(machine, width)))


def _text(width: int) -> Step:
    def step(machine: Machine) -> None:
        machine.push(_decode(machine, _take(machine, _number(machine, width))))

    return step


def _decode(machine: Machine, data: bytes | Big) -> str | Big:
    if isinstance(data, Big):
        return data
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise machine.damaged("a text is no UTF-8") from None


def _old_string(width: int) -> Step:
    """Strings of Python 2: text here, as numpy and others need it."""

    def step(machine: Machine) -> None:
        data = _take(machine, _number(machine, width, signed=width == 4))
        machine.push(data if isinstance(data, Big) else data.decode("latin-1"))

    return step


def _quoted(machine: Machine) -> None:
    line = machine.source.line()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b'"', b"'"):
        raise machine.damaged("a string is not in quotes")
    import codecs

    try:
        data = codecs.escape_decode(line[1:-1])[0]
    except ValueError:
        raise machine.damaged("a string has a bad escape") from None
    machine.push(data.decode("latin-1"), len(data))


def _unicode_line(machine: Machine) -> None:
    line = machine.source.line()
    try:
        machine.push(str(line, "raw-unicode-escape"), len(line))
    except UnicodeDecodeError:
        raise machine.damaged("a text has a bad escape") from None


def _int_line(machine: Machine) -> None:
    line = machine.source.line()
    machine.push({b"00": False, b"01": True}[line] if line in (b"00", b"01") else _integer(machine, line, 0))


def _long_line(machine: Machine) -> None:
    machine.push(_integer(machine, machine.source.line().removesuffix(b"L"), 0))


def _integer(machine: Machine, line: bytes, base: int = 10) -> int:
    try:
        return int(line, base)
    except ValueError:
        raise machine.damaged("a number cannot be read") from None


def _float_line(machine: Machine) -> None:
    try:
        machine.push(float(machine.source.line()))
    except ValueError:
        raise machine.damaged("a number cannot be read") from None


def _long(width: int) -> Step:
    def step(machine: Machine) -> None:
        size = _number(machine, width, signed=width == 4)
        if size < 0:
            raise machine.damaged("a length is negative")
        machine.push(int.from_bytes(machine.source.read(size, _LONGEST_NUMBER), "little", signed=True), size)

    return step


def _push_int(width: int, *, signed: bool = False) -> Step:
    return lambda machine: machine.push(_number(machine, width, signed=signed))


def _constant(value: Any) -> Step:
    return lambda machine: machine.push(value)


def _new(kind: Callable[[], Any]) -> Step:
    return lambda machine: machine.push(kind())


def _mark(machine: Machine) -> None:
    machine.trace.spend()
    machine.marks.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _pop_mark(machine: Machine) -> None:
    machine.pop_mark()


def _proto(machine: Machine) -> None:
    protocol = _number(machine, 1)
    if protocol > 5:
        raise machine.damaged(f"there is no protocol {protocol}")
    machine.protocol = protocol
    machine.trace.protocol = max(machine.trace.protocol, protocol)


def _frame(machine: Machine) -> None:
    machine.source.begin_frame(_number(machine, 8), machine.trace.memory)


# --- containers ---


def _tuple(count: int | None) -> Step:
    def step(machine: Machine) -> None:
        items = machine.pop_mark() if count is None else [machine.pop() for _ in range(count)][::-1]
        if any(type(item) is tuple for item in items):
            machine.put_into([], [item for item in items if type(item) is tuple])
        machine.push(tuple(items), 8 * len(items))

    return step


def _list_of_marked(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.put_into(items, items)
    machine.push(items, 8 * len(items))


def _dict_of_marked(machine: Machine) -> None:
    items = machine.pop_mark()
    target = Dict()
    _put_pairs(machine, target, items)
    machine.push(target)


def _put_pairs(machine: Machine, target: Any, items: list[Any]) -> None:
    if len(items) % 2:
        raise machine.damaged("a key has no value")
    machine.put_into(target, items)
    machine.trace.spend(72 * len(items))
    if isinstance(target, Dict | Made):
        target.pairs.extend(zip(items[::2], items[1::2], strict=True))
    elif isinstance(target, list | Set):
        raise machine.damaged("it sets items of what is no dictionary")


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _put_pairs(machine, machine.top(), [key, value])


def _set_items(machine: Machine) -> None:
    items = machine.pop_mark()
    _put_pairs(machine, machine.top(), items)


def _put_items(machine: Machine, items: list[Any]) -> None:
    target = machine.top()
    machine.put_into(target, items)
    machine.trace.spend(16 * len(items))
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Set | Made):
        target.items.extend(items)
    elif isinstance(target, Dict):
        raise machine.damaged("it appends to a dictionary")


def _append(machine: Machine) -> None:
    _put_items(machine, [machine.pop()])


def _put_marked(machine: Machine) -> None:
    items = machine.pop_mark()
    _put_items(machine, items)


def _frozen_set(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.put_into(items, items)
    machine.push(Set(items), 8 * len(items))


# --- globals and objects ---


def _name_line(machine: Machine) -> str:
    try:
        return machine.source.line().decode("utf-8")
    except UnicodeDecodeError:
        raise machine.damaged("a name is no UTF-8") from None


def _global(machine: Machine) -> None:
    module = _name_line(machine)
    machine.push(machine.find(module, _name_line(machine)))


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    if not all(isinstance(part, str | Made | Unknown | Big) for part in (name, module)):
        raise machine.damaged("the name of a global is no text")
    machine.push(machine.find(module, name))


def _inst(machine: Machine) -> None:
    module = _name_line(machine)
    found = machine.find(module, _name_line(machine))
    machine.push(machine.call(found, tuple(machine.pop_mark())))


def _obj(machine: Machine) -> None:
    items = machine.pop_mark()
    if not items:
        raise machine.damaged("an object has no class")
    machine.push(machine.call(items[0], tuple(items[1:])))


def _reduce(machine: Machine) -> None:
    args = machine.pop()
    machine.push(machine.call(machine.pop(), args))


def _new_object_with(machine: Machine) -> None:
    kwargs, args = machine.pop(), machine.pop()
    machine.push(machine.call(machine.pop(), args, kwargs))


def _extension(width: int) -> Step:
    def step(machine: Machine) -> None:
        code = _number(machine, width, signed=width == 4)
        machine.note("extension", f"it imports what copyreg's extension code {code} stands for")
        machine.push(Unknown(f"extension {code}"))

    return step


def _persistent_line(machine: Machine) -> None:
    _persistent(machine, _name_line(machine))


def _persistent_popped(machine: Machine) -> None:
    _persistent(machine, machine.pop())


def _persistent(machine: Machine, _key: Any) -> None:
    machine.note("persistent-id", "it asks the program that loads it for objects (persistent ids)")
    machine.push(Unknown("a persistent id"))


def _next_buffer(machine: Machine) -> None:
    machine.note("outside-buffer", "part of it is kept elsewhere (out-of-band buffers)")
    machine.push(Unknown("an outside buffer"))


def _put_line(machine: Machine) -> None:
    key = _integer(machine, machine.source.line())
    if key < 0:
        raise machine.damaged("an entry of the memo is negative")
    machine.remember(key)


def _nothing(_machine: Machine) -> None:
    """READONLY_BUFFER changes how a buffer may be used, not what it holds."""


DISPATCH: dict[int, Step] = {
    # marks, memo, frames
    ord("("): _mark,
    ord("0"): _pop,
    ord("1"): _pop_mark,
    ord("2"): lambda machine: machine.push(machine.top()),
    0x80: _proto,
    0x95: _frame,
    ord("g"): lambda machine: machine.recall(_integer(machine, machine.source.line())),
    ord("h"): lambda machine: machine.recall(_number(machine, 1)),
    ord("j"): lambda machine: machine.recall(_number(machine, 4)),
    ord("p"): _put_line,
    ord("q"): lambda machine: machine.remember(_number(machine, 1)),
    ord("r"): lambda machine: machine.remember(_number(machine, 4)),
    0x94: lambda machine: machine.remember(len(machine.memo)),
    # plain values
    ord("N"): _constant(None),
    0x88: _constant(True),
    0x89: _constant(False),
    ord("I"): _int_line,
    ord("L"): _long_line,
    ord("F"): _float_line,
    ord("J"): _push_int(4, signed=True),
    ord("K"): _push_int(1),
    ord("M"): _push_int(2),
    ord("G"): lambda machine: machine.push(struct.unpack(">d", machine.source.read(8, 8))[0]),
    0x8A: _long(1),
    0x8B: _long(4),
    ord("S"): _quoted,
    ord("T"): _old_string(4),
    ord("U"): _old_string(1),
    ord("V"): _unicode_line,
    0x8C: _text(1),
    ord("X"): _text(4),
    0x8D: _text(8),
    ord("C"): _bytes(1),
    ord("B"): _bytes(4),
    0x8E: _bytes(8),
    0x96: _bytes(8),
    0x97: _next_buffer,
    0x98: _nothing,
    # containers
    ord(")"): _constant(()),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("t"): _tuple(None),
    ord("]"): _new(list),
    ord("l"): _list_of_marked,
    ord("a"): _append,
    ord("e"): _put_marked,
    ord("}"): _new(Dict),
    ord("d"): _dict_of_marked,
    ord("s"): _set_item,
    ord("u"): _set_items,
    0x8F: _new(Set),
    0x90: _put_marked,
    0x91: _frozen_set,
    # globals and objects
    ord("c"): _global,
    0x93: _stack_global,
    ord("i"): _inst,
    ord("o"): _obj,
    ord("R"): _reduce,
    0x81: _reduce,
    0x92: _new_object_with,
    ord("b"): lambda machine: machine.build(),
    0x82: _extension(1),
    0x83: _extension(2),
    0x84: _extension(4),
    ord("P"): _persistent_line,
    ord("Q"): _persistent_popped,
}
