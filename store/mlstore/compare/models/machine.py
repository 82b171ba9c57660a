"""An unpickler that makes nothing: it follows the opcodes as Python does and puts inert nodes on its stack.

It is as strict as Python's own (frames, memo, marks), for a reader that sees other opcodes than the real one
can be led past what it should see. Where joblib would read an array from the file, so does it. It imports
nothing that the file names.
"""

from __future__ import annotations

from typing import Any

from mlstore.compare.models.nodes import Array, Dict, Global, Made, Set, Unknown, name_of
from mlstore.compare.models.numpyio import Odd, dtype_of, is_wrapper, shape_of
from mlstore.compare.models.source import Source
from mlstore.compare.models.trace import Trace
from mlstore.errors import CorruptArtifact

_WRAPPER_KEYS = frozenset({"subclass", "shape", "order", "dtype", "allow_mmap"})
_WRAPPER_EXTRA = frozenset({"numpy_array_alignment_bytes"})
_DEEPEST = 4


class Machine:
    """The stack, the marks and the memo of one pickle; the opcodes are in ``opcodes``."""

    def __init__(self, source: Source, trace: Trace, *, joblib: bool = True, depth: int = 0) -> None:
        self.source = source
        self.trace = trace
        self.joblib = joblib
        self.depth = depth
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.protocol = 0

    def run(self) -> Any:
        """Walk to the end of one pickle and give what it leaves; raises ``CorruptArtifact``."""
        from mlstore.compare.models.opcodes import DISPATCH

        source, trace = self.source, self.trace
        while True:
            trace.tick()
            code = source.read(1, 1)[0]
            if code == 0x2E:  # STOP
                trace.pickles += 1
                return self.pop()
            step = DISPATCH.get(code)
            if step is None:
                raise self.damaged(f"there is no opcode 0x{code:02x}")
            step(self)

    def damaged(self, why: str) -> CorruptArtifact:
        """Give the error for something that no unpickler takes."""
        return CorruptArtifact(f"it is no valid pickle at offset {self.source.offset}: {why}")

    # --- stack and memo ---

    def push(self, value: Any, size: int = 0) -> None:
        """Put a value that takes *size* bytes on the stack."""
        self.trace.spend(size)
        self.stack.append(value)

    def pop(self) -> Any:
        """Take the topmost value."""
        if not self.stack:
            raise self.damaged("its stack is empty")
        return self.stack.pop()

    def top(self) -> Any:
        """Give the topmost value."""
        if not self.stack:
            raise self.damaged("its stack is empty")
        return self.stack[-1]

    def pop_mark(self) -> list[Any]:
        """Take all values above the last mark."""
        if not self.marks:
            raise self.damaged("it has no mark")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def remember(self, key: int) -> None:
        """Put the topmost value into the memo."""
        self.trace.spend()
        self.memo[key] = self.top()

    def recall(self, key: int) -> None:
        """Put a value from the memo on the stack."""
        if key not in self.memo:
            raise self.damaged(f"its memo has no entry {key}")
        self.push(self.memo[key])

    def note(self, kind: str, text: str) -> None:
        """Take down something suspicious here."""
        self.trace.note(kind, text, self.source.offset)

    # --- names and calls ---

    def find(self, module: Any, name: Any) -> Any:
        """Give the stand-in for a global."""
        if type(module) is not str or type(name) is not str:
            self.note("computed-global", "it imports something whose name it computes")
            return Unknown("a computed global")
        if self.protocol < 3:
            from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

            if (module, name) in NAME_MAPPING:
                module, name = NAME_MAPPING[module, name]
            else:
                module = IMPORT_MAPPING.get(module, module)
        return self.trace.name(module, name, self.source.offset)

    def call(self, maker: Any, args: Any, kwargs: Any = None) -> Any:
        """Give the stand-in for what a call would return; judge the call."""
        if isinstance(maker, Global):
            self.trace.call(maker)
        else:
            self.note("computed-call", "it calls something that is not a plain global")
        if type(args) is not tuple:
            if not isinstance(args, Made | Unknown):
                raise self.damaged("the arguments of a call are no tuple")
            self.note("computed-call", "it computes the arguments of a call")
            args = (args,)
        self._judge_call(maker, args)
        self.trace.spend(200)
        if name_of(maker) == "_codecs.encode":
            return self._encode(args)
        if name_of(maker) == "builtins.bytes" and not args:  # how protocol 2 writes none
            return b""
        return Made(maker, args, kwargs)

    def _judge_call(self, maker: Any, args: tuple[Any, ...]) -> None:
        from mlstore.compare.models.known import NEVER_CALLED

        if name_of(maker) in NEVER_CALLED:
            self.note("unusual-call", f"it calls '{maker}', which opens files")
        if any(map(is_wrapper, args)) and not _is_plain_reconstruction(maker, args):
            self.note("array-in-disguise", "it makes joblib's stand-in for an array in an unusual way")
        if is_wrapper(maker) and args:
            self.note("array-in-disguise", "it makes joblib's stand-in for an array in an unusual way")

    def _encode(self, args: tuple[Any, ...]) -> Any:
        """Pickle before protocol 3 writes bytes as text in latin-1."""
        if len(args) == 2 and type(args[0]) is str and args[1] in ("latin1", "latin-1"):
            try:
                return args[0].encode("latin-1")
            except UnicodeEncodeError:
                raise self.damaged("bytes are written as text that is no latin-1") from None
        self.note("unusual-call", "it calls '_codecs.encode' with other than text and latin1")
        return Unknown("encoded text")

    def put_into(self, target: Any, values: list[Any]) -> None:
        """Judge what is put into a container."""
        if any(
            is_wrapper(value) or (type(value) is tuple and any(map(is_wrapper, value))) for value in values
        ):
            self.note("array-in-disguise", "it keeps joblib's stand-in for an array in a container")
        if not isinstance(target, Dict | list | Set | Made):
            what = f"'{target}'" if isinstance(target, Global) else "something that is no container"
            self.note("changes-global", f"it changes {what}")
            if not isinstance(target, Global | Unknown | Array):
                raise self.damaged("it puts items into what is no container")

    # --- state and arrays ---

    def build(self) -> None:
        """Give an object its state; read the array where joblib would."""
        state = self.pop()
        target = self.top()
        if not isinstance(target, Made):
            self.note("changes-global", f"it sets the state of {_describe(target)}")
            return
        self.put_into(target, [state])
        self.trace.spend()
        if not (self.joblib and _is_wrapper_instance(target)):
            target.state.append(state)
            return
        if target.state:
            raise Odd(f"an array's stand-in is used twice, at offset {self.source.offset}")
        target.state.append(state)
        self.stack[-1] = self._read_array(state)

    def _read_array(self, state: Any) -> Any:
        values = state.named() if isinstance(state, Dict) else None
        if values is None or not _WRAPPER_KEYS <= values.keys() <= _WRAPPER_KEYS | _WRAPPER_EXTRA:
            raise Odd(f"an array is described in an unusual way, at offset {self.source.offset}")
        if self.source.in_frame:
            self.note("payload-beside-array", "opcodes stand in front of an array that run after it")
        dtype = dtype_of(values["dtype"])
        shape, size = shape_of(values["shape"], dtype)
        if values["order"] not in ("C", "F"):
            raise Odd(f"an array has an unusual order, at offset {self.source.offset}")
        if dtype.has_objects:
            return self._read_objects()
        alignment = values.get("numpy_array_alignment_bytes")
        if alignment is not None:
            if type(alignment) is not int:
                raise Odd(f"an array has an unusual alignment, at offset {self.source.offset}")
            (padding,) = self.source.raw_bytes(1, 1)
            self.source.raw_bytes(padding, 255)
        return self.trace.take_array(self.source, dtype, shape, values["order"] == "F", size)

    def _read_objects(self) -> Any:
        """An array of objects is a pickle of its own in the middle of the file."""
        if self.depth >= _DEEPEST:
            raise Odd("pickles are nested too deeply")
        self.trace.arrays += 1
        inner = Machine(self.source, self.trace, joblib=False, depth=self.depth + 1)
        # A frame that was begun outside belongs to the outer pickle.
        frame = self.source.swap_frame((b"", 0))
        value = inner.run()
        if self.source.in_frame:
            raise Odd("a nested pickle ends within a frame")
        self.source.swap_frame(frame)
        self.trace.pickles -= 1
        return value


def _is_plain_reconstruction(maker: Any, args: tuple[Any, ...]) -> bool:
    return (
        name_of(maker) == "copyreg._reconstructor"
        and len(args) == 3
        and name_of(args[1]) == "builtins.object"
        and args[2] is None
    )


def _is_wrapper_instance(target: Made) -> bool:
    if is_wrapper(target.maker):
        return True
    return any(map(is_wrapper, target.args[:1])) and _is_plain_reconstruction(target.maker, target.args)


def _describe(target: Any) -> str:
    return f"'{target}'" if isinstance(target, Global) else f"a {type(target).__name__.lower()}"
