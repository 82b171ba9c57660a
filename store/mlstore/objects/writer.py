"""The facade for writing: one transaction of new objects.

Small objects go into one pack, as they are read. Large opaque files stay whole, each a loose file (so
that ``b3sum`` checks it and the file system can share its blocks), or become a recipe over their previous
version. Large data files are cut into chunks, compressed where that pays. None of it shows in an id.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlstore.durable import StagedFile, Staging, clone_file, storage_errors
from mlstore.durable.behind import BEHIND_FROM, Behind, write_behind
from mlstore.errors import CorruptError, NotFoundError
from mlstore.hashing import (
    PIECE,
    BytesLike,
    Digest,
    ObjectId,
    digest_bytes,
    digester_for,
    hash_fd,
    hash_path,
    read_chunks,
)
from mlstore.model import Commit, Tag, Tree, encode_commit, encode_tag, encode_tree
from mlstore.objects.compress import Compressor
from mlstore.objects.pack import EntryKind, PackBuilder
from mlstore.objects.recipe import MOST_PARTS, Part, encode_recipe
from mlstore.objects.source import RecipeSource, Source
from mlstore.objects.stock import Stock, StockReport

if TYPE_CHECKING:
    from mlstore.objects.database import ObjectDatabase
    from mlstore.objects.pack.builder import PackShare

SMALL: Final = 1 << 20
"""Objects of at most this many bytes go into packs whole."""

_PACK_LIMIT: Final = 1 << 30  # a pack is closed when it is larger (bytes), and another one begun
_BASE_FROM: Final = 4 << 20  # from this size (bytes) on a previous version is worth comparing with
_LITERAL: Final = 1 << 20
_MOST_WORKERS: Final = 8  # each holds a few chunks


class ObjectWriter:
    """Takes in objects; ``ObjectDatabase.transaction`` publishes them.

    An object that the store has already is not written again, but its stored bytes are hashed: a
    damaged copy is replaced by the good one.
    """

    def __init__(self, database: ObjectDatabase, *, scratch: Path, fsync: bool, pack: bool = True) -> None:
        self._database = database
        self._may_pack = pack
        self.format = self._format = database.format
        self._staging = Staging(scratch, fsync=fsync)
        self._pending: dict[ObjectId, Path] = {}
        self._packed: set[ObjectId] = set()  # in a pack of this transaction, as object or chunk
        self._stock = Stock(database)
        self._pack: PackBuilder | None = None
        self._full: list[PackBuilder] = []
        self._only: PackBuilder | None = None  # in a child: the one file that it may write to
        self._compressor = Compressor()
        database.packs.forget()  # what is there now counts: others may have added and removed packs

    # taking in

    def add_bytes(self, data: BytesLike) -> ObjectId:
        """Add *data* and give its id."""
        object_id = self._format.hash_bytes(data)
        self._add_small(object_id, data)
        return object_id

    def add_tree(self, tree: Tree) -> ObjectId:
        """Add a tree."""
        return self.add_bytes(encode_tree(tree))

    def add_commit(self, commit: Commit) -> ObjectId:
        """Add a commit."""
        return self.add_bytes(encode_commit(commit))

    def add_tag(self, tag: Tag) -> ObjectId:
        """Add an annotated tag."""
        return self.add_bytes(encode_tag(tag))

    def add_fd(self, fd: int, *, chunked: bool = False, base: ObjectId | None = None) -> Digest:
        """Add what *fd* holds from its position to the end; memory does not grow with the file.

        *chunked* cuts a large file into chunks; *base* names a previous version of it, of which only
        what differs is written where that is less.
        """
        status = os.fstat(fd)
        regular = stat.S_ISREG(status.st_mode)
        size = status.st_size if regular else SMALL + 1  # a pipe does not tell how much will come
        if size <= SMALL:
            return self.add_small(_read_small(fd, size))
        if not (regular and self._may_pack and hasattr(os, "pread")):
            return self._add_whole(fd, size)
        start = os.lseek(fd, 0, os.SEEK_CUR)
        if chunked:
            found = self._unchanged(fd, size, base) or self._add_chunked(read_chunks(fd, size), size)
        else:
            found = self._add_against(fd, size, base) if base is not None and size >= _BASE_FROM else None
        if found is not None:
            return found
        os.lseek(fd, start, os.SEEK_SET)
        return self._add_whole(fd, size)

    def add_stream(self, chunks: Iterator[bytes], size: int, *, chunked: bool) -> Digest | None:
        """Add the *size* bytes of a large object that come piece by piece.

        None where *chunked* would make too many parts of it: begin again without.
        """
        if chunked and self._may_pack:
            return self._add_chunked(chunks, size)
        staged = self._staging.new_file()
        try:
            digester = digester_for(self._format, size)
            for data in chunks:
                digester.update(data)
                with storage_errors(staged.path):
                    staged.write(data)
            digest = digester.digest()
        finally:
            staged.close()
        return self._keep(staged, digest)

    def add_small(self, data: bytes) -> Digest:
        """Add the bytes of a small file, read already."""
        digest = digest_bytes(self._format, data)
        if digest.id not in self._stock.known:
            self._add_small(digest.id, data)
        return digest

    def _add_small(self, object_id: ObjectId, data: BytesLike) -> None:
        if self._have(object_id):
            return
        if len(data) > SMALL or object_id in self._stock.damaged or not self._may_pack:
            self._write_loose(object_id, data)  # a loose copy is looked at before any pack
            return
        stored, compressed = self._compressor.try_on(data)
        self._builder().add(object_id, stored, size=len(data), compressed=compressed)
        self._packed.add(object_id)

    def _write_loose(self, object_id: ObjectId, data: BytesLike) -> None:
        staged = self._new_file()
        try:
            with storage_errors(staged.path):
                staged.write(data)
        finally:
            staged.close()
        self._pending[object_id] = staged.path

    # large files: whole

    def _add_whole(self, fd: int, size: int) -> Digest:
        staged = self._new_file()
        try:
            if _at_start(fd) and clone_file(fd, staged.fd):
                digest = hash_path(self._format, staged.path)  # what is stored, not what was read elsewhere
            elif size >= BEHIND_FROM:
                digest = self._copy_behind(fd, size, staged)
            else:
                digest = self._copy(fd, size, staged)
        finally:
            staged.close()
        return self._keep(staged, digest)

    def _keep(self, staged: StagedFile, digest: Digest) -> Digest:
        if self._have(digest.id):
            staged.path.unlink()
        else:
            self._pending[digest.id] = staged.path
        return digest

    def _copy(self, fd: int, size: int, staged: StagedFile) -> Digest:
        digester = digester_for(self._format, size)
        for chunk in read_chunks(fd, size):
            digester.update(chunk)
            with storage_errors(staged.path):
                staged.write(chunk)
        return digester.digest()

    def _copy_behind(self, fd: int, size: int, staged: StagedFile) -> Digest:
        digester = digester_for(self._format, size)
        with write_behind(staged, durable=self._database.fsync) as file:
            while data := os.read(fd, PIECE):
                file.put(data)  # what is written is what is hashed: the same bytes object
                digester.update(data)
        return digester.digest()

    # large files: chunks

    def _unchanged(self, fd: int, size: int, base: ObjectId | None) -> Digest | None:
        """Give the digest where the file is its previous version: no chunk of it need be made then.

        That version may be stored whole, by an earlier policy. The descriptor stands where it stood.
        """
        try:
            if base is None or self._database.size(base) != size:
                return None
        except (CorruptError, NotFoundError):
            return None
        start = os.lseek(fd, 0, os.SEEK_CUR)
        digest = hash_fd(self._format, fd)
        os.lseek(fd, start, os.SEEK_SET)
        return digest if digest.id == base and self._have(base) else None

    def _add_chunked(self, chunks: Iterable[BytesLike], size: int) -> Digest | None:
        from mlstore.objects.chunker import cut, map_ordered

        digester = digester_for(self._format, size)

        def tapped() -> Iterator[BytesLike]:
            for chunk in chunks:
                digester.update(chunk)
                yield chunk

        parts: list[Part] = []
        workers = min(_MOST_WORKERS, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers) as pool:
            for chunk_id, stored, length, compressed in map_ordered(
                self._prepare, cut(tapped()), pool, 2 * workers
            ):
                self._add_chunk(chunk_id, stored, length, compressed)
                parts.append(Part(chunk_id, 0, length))
        digest = digester.digest()
        return digest if self._add_recipe(digest, parts) else None

    def _prepare(self, data: bytes) -> tuple[ObjectId, bytes, int, bool]:
        chunk_id = self._format.hash_bytes(data)
        if chunk_id in self._packed or self._stock.shares(chunk_id):
            return chunk_id, b"", len(data), False
        stored, compressed = self._compressor.try_on(data)
        return chunk_id, bytes(stored), len(data), compressed

    def _add_chunk(self, chunk_id: ObjectId, stored: BytesLike, length: int, compressed: bool) -> None:
        if chunk_id in self._packed or (length and not len(stored)):
            return
        self._builder().add(chunk_id, stored, size=length, compressed=compressed, kind=EntryKind.CHUNK)
        self._packed.add(chunk_id)

    def _add_recipe(self, digest: Digest, parts: list[Part]) -> bool:
        """Add an object as a recipe; False when it has to be a file of its own.

        That is so where damaged bytes stand under its id (a loose copy is looked at before any pack),
        and where it has too many parts.
        """
        if self._have(digest.id):
            return True
        if digest.id in self._stock.damaged or len(parts) > MOST_PARTS:
            return False
        stored, compressed = self._compressor.try_on(encode_recipe(parts))
        self._builder().add(digest.id, stored, size=digest.size, compressed=compressed, kind=EntryKind.RECIPE)
        self._packed.add(digest.id)
        return True

    # large files: against a previous version

    def _add_against(self, fd: int, size: int, base_id: ObjectId) -> Digest | None:
        """Add a file as ranges of a previous version and what is new; None where that does not pay."""
        try:
            source = self._database.open_source(base_id)
        except (CorruptError, NotFoundError):
            return None
        try:
            return self._compare(fd, size, base_id, source) if source.size >= _BASE_FROM else None
        except CorruptError:
            return None  # the previous version is damaged: nothing may rest on it
        finally:
            source.close()

    def _compare(self, fd: int, size: int, base_id: ObjectId, source: Source) -> Digest | None:
        from mlstore.objects.delta import Ends, base_of, find_delta, literal_bytes

        start = os.lseek(fd, 0, os.SEEK_CUR)
        digester = digester_for(self._format, size)
        ends = Ends(source.read_at, source.size, size)
        with Behind(ends.take) as compared:  # reads the old version while this thread reads the new one
            while data := os.read(fd, PIECE):
                compared.put(data)
                digester.update(data)
        digest = digester.digest()
        if self._have(digest.id):
            return digest
        if digest.id in self._stock.damaged:
            return None
        parts = source.parts if isinstance(source, RecipeSource) else None
        base = base_of(base_id, source.size, source.read_at, parts)

        def read_at(offset: int, length: int) -> bytes:
            return os.pread(fd, length, start + offset)

        pieces = find_delta(base, read_at, digest.size, *ends.lengths(digest.size))
        # Every range was compared with the new bytes themselves: a damaged base cannot spread here.
        if 2 * literal_bytes(pieces) > digest.size:
            return None
        recipe: list[Part] = []
        for piece in pieces:
            if isinstance(piece, Part):
                recipe.append(piece)
            else:
                recipe += self._add_literal(fd, start + piece.offset, piece.length)
        return digest if self._add_recipe(digest, recipe) else None

    def _add_literal(self, fd: int, offset: int, length: int) -> Iterator[Part]:
        while length:
            data = os.pread(fd, min(_LITERAL, length), offset)
            if not data:
                return  # the file shrank: whoever called sees that by its stat data
            chunk_id, stored, size, compressed = self._prepare(data)
            self._add_chunk(chunk_id, stored, size, compressed)
            yield Part(chunk_id, 0, size)
            offset, length = offset + size, length - size

    # where it goes

    def _have(self, object_id: ObjectId) -> bool:
        if object_id in self._pending or object_id in self._stock.known:
            return True
        if object_id in self._packed:
            return any(pack.is_object(object_id) for pack in self._builders())
        return self._stock.has(object_id)

    def _builder(self) -> PackBuilder:
        if self._pack is not None and self._pack.size >= _PACK_LIMIT:
            self._full.append(self._pack)
            self._pack = None
        if self._pack is None:
            self._pack = PackBuilder(self._new_file(), self._format)
        return self._pack

    def _builders(self) -> list[PackBuilder]:
        return [*self._full, *([self._pack] if self._pack is not None else [])]

    def _new_file(self) -> StagedFile:
        if self._only is not None:
            raise RuntimeError("a child writes to its own pack only")
        return self._staging.new_file()

    # a share of the work that a child process does

    @property
    def may_share(self) -> bool:
        """Whether a child may take in small objects: where they go into packs."""
        return self._may_pack

    def open_share(self) -> PackBuilder:
        """Begin a pack for a child; before the process is doubled, so that both have the file open."""
        return PackBuilder(self._new_file(), self._format)

    def fill_share(self, share: PackBuilder) -> None:
        """In the child: small objects go into *share* from now on. Anything else raises."""
        self._full, self._pack, self._only = self._builders(), share, share

    def report_share(self) -> tuple[PackShare, StockReport]:
        """In the child: tell what was added, and what was found in the store and relied on."""
        assert self._only is not None
        return self._only.hand_over(), self._stock.report()

    def take_share(self, share: PackBuilder, report: tuple[PackShare, StockReport]) -> None:
        """Take in what a child reported; what both processes met is kept once."""
        filled, relied_on = report
        share.take_over(filled)
        self._stock.take(relied_on)
        if share.ids() and self._packed.isdisjoint(share.ids()):
            self._packed.update(share.ids())
            self._full.append(share)
            return
        fd = os.open(share.file.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            for entry in share.entries():
                if entry.id not in self._packed:
                    with storage_errors(share.file.path):
                        stored = os.pread(fd, entry.stored, entry.offset)
                    self._builder().add(entry.id, stored, size=entry.size, compressed=entry.compressed)
                    self._packed.add(entry.id)
        finally:
            os.close(fd)
        self.drop_share(share)

    def drop_share(self, share: PackBuilder) -> None:
        """Let go of a share that is not needed."""
        share.file.close()
        with storage_errors(share.file.path):
            share.file.path.unlink()

    # publishing

    def publish(self) -> bool:
        """Make everything that was added visible, durably; says whether that made a pack."""
        moves = [
            (staged, self._database.loose.path(object_id)) for object_id, staged in self._pending.items()
        ]
        builders = self._builders()
        moves += [(pack.file.path, self._database.packs.path(pack.finish())) for pack in builders]
        self._staging.publish(moves, is_corrupt=self._database.is_damaged, reused=self._stock.folders())
        self._stock.freshen()
        if builders:
            self._database.packs.forget()
        self._pending.clear()
        self._full, self._pack = [], None
        return bool(builders)

    def close(self) -> None:
        """Drop what was not published."""
        for pack in self._builders():
            pack.file.close()
        self._staging.discard()


def _at_start(fd: int) -> bool:
    try:
        return os.lseek(fd, 0, os.SEEK_CUR) == 0
    except OSError:  # a pipe
        return False


def _read_small(fd: int, size: int) -> bytes:
    """Read a file of about *size* bytes whole: one byte more is asked for, to see that it ends there."""
    data = os.read(fd, size + 1)
    if len(data) == size:
        return data
    return data + b"".join(map(bytes, read_chunks(fd)))
