"""The unpacked bytes of a model file, read forwards, with the frames of pickle protocol 4."""

from __future__ import annotations

from collections.abc import Iterator

from mlstore.compare.models.unpack import Trailing
from mlstore.errors import CorruptArtifact

_LONGEST_LINE = 1 << 20


class Truncated(CorruptArtifact):
    """The bytes end where more were promised."""

    kind = "truncated-artifact"


class TooLarge(CorruptArtifact):
    """A limit was reached: what comes after it was not looked at."""

    kind = "too-large-artifact"


class Source:
    """A forward reader over pieces. ``trailing`` is what stood behind the compressed part, once seen."""

    def __init__(self, pieces: Iterator[bytes], most: int) -> None:
        self._pieces = pieces
        self._piece, self._at = b"", 0
        self._before = 0  # the offset at which the piece begins
        self._left = most
        self._frame, self._frame_at = b"", 0
        self._error: CorruptArtifact | None = None
        self.trailing = 0

    @property
    def offset(self) -> int:
        """How many bytes were read from the file."""
        return self._before + self._at

    def _fill(self) -> bool:
        while self._at >= len(self._piece):
            try:
                piece = next(self._pieces, None)
            except Trailing as exc:
                self.trailing = exc.size
                piece = None
            except CorruptArtifact as exc:  # what came before it is looked at first
                self._error = exc
                piece = None
            if piece is None:
                return False
            self._left -= len(piece)
            if self._left < 0:
                raise TooLarge("it unpacks to more than the limit allows")
            self._before += len(self._piece)
            self._piece, self._at = piece, 0
        return True

    def _need(self) -> None:
        if not self._fill():
            raise self._error or Truncated(f"it ends too early, at offset {self.offset}")

    # --- as the file: joblib reads arrays from here, whatever frame there is ---

    def raw(self, size: int) -> Iterator[memoryview]:
        """Yield exactly *size* bytes of the file in pieces."""
        while size:
            self._need()
            part = memoryview(self._piece)[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            yield part

    def raw_bytes(self, size: int, most: int) -> bytes:
        """Give exactly *size* bytes of the file, if they are no more than *most*."""
        if size > most:
            raise TooLarge(f"at offset {self.offset} something is larger than the limit allows")
        return b"".join(self.raw(size))

    def at_end(self) -> bool:
        """Whether nothing is left; raises ``CorruptArtifact`` when that is for damage."""
        if self._fill():
            return False
        if self._error is not None:
            raise self._error
        return True

    # --- as the unpickler: through the frame ---

    @property
    def in_frame(self) -> bool:
        """Whether a frame was begun and not read to its end."""
        return self._frame_at < len(self._frame)

    def swap_frame(self, frame: tuple[bytes, int]) -> tuple[bytes, int]:
        """Put another frame in the place of this one, and give this one."""
        before = (self._frame, self._frame_at)
        self._frame, self._frame_at = frame
        return before

    def begin_frame(self, size: int, most: int) -> None:
        """Take in a frame; where the file ends within it Python takes what there is, and so must we."""
        if self.in_frame:
            raise CorruptArtifact(f"a frame begins within another, at offset {self.offset}")
        parts, left = [], min(size, most)
        while left and self._fill():
            parts.append(self._piece[self._at : self._at + left])
            self._at += len(parts[-1])
            left -= len(parts[-1])
        if size > most and not left:  # as much as may be held is looked at, and nothing behind it
            self._error = TooLarge(f"the frame before offset {self.offset} is larger than the limit allows")
            self._pieces, self._piece, self._before, self._at = iter(()), b"", self.offset, 0
        self._frame, self._frame_at = b"".join(parts), 0

    def read(self, size: int, most: int) -> bytes:
        """Give exactly *size* bytes to the unpickler."""
        if self._frame_at < len(self._frame):
            end = self._frame_at + size
            if end > len(self._frame):
                raise CorruptArtifact(f"something reaches over the end of its frame, before {self.offset}")
            part, self._frame_at = self._frame[self._frame_at : end], end
            return part
        end = self._at + size
        if end <= len(self._piece):
            part, self._at = self._piece[self._at : end], end
            return part
        return self.raw_bytes(size, most)

    def stream(self, size: int) -> Iterator[memoryview]:
        """Yield exactly *size* bytes to the unpickler in pieces."""
        if size and self.in_frame:
            yield memoryview(self.read(size, size))
        else:
            yield from self.raw(size)

    def line(self) -> bytes:
        """Give a line without its line feed."""
        if self.in_frame:
            end = self._frame.find(b"\n", self._frame_at)
            if end < 0:
                raise CorruptArtifact(f"a line reaches over the end of its frame, before {self.offset}")
            part, self._frame_at = self._frame[self._frame_at : end], end + 1
            return part
        found = b""
        while len(found) <= _LONGEST_LINE:
            self._need()
            end = self._piece.find(b"\n", self._at)
            stop = len(self._piece) if end < 0 else end
            found += self._piece[self._at : stop]
            self._at = stop if end < 0 else end + 1
            if end >= 0:
                return found
        raise TooLarge(f"a line is longer than the limit allows, at offset {self.offset}")
