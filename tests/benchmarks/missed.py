"""Why a goal is missed, and what was tried: shown for the rows in which one is."""

from __future__ import annotations


def words(text: str) -> str:
    """Give a text without its line breaks."""
    return " ".join(text.split())


MISSED: dict[tuple[str, str], tuple[str, str]] = {
    ("W1", "first"): (
        "W1, first add + commit",
        words("""
        two commands are two starts of Python, and every file costs `open`, `read`, `fstat`,
        `close`, two hashes and some Python, where `tar` is one small program and hashes nothing.
        Tried and kept: no more than those four system calls, one pack written while it is read, and
        a second process for half of the files, which threads cannot replace: they wait for Python's
        lock. The factors against git, restic and DVC were set from a machine on which making files
        was several times slower, after files had been removed (see above): git took 6.4 s there, and
        2.0 s to 4.2 s here, by the same effect.
        """),
    ),
    ("W1", "status"): (
        "W1, status",
        words("""
        much of it is the start of Python, which no worktree makes shorter; the rest is one `lstat`
        a file, in two processes. DVC and Oxen take less time here than where the factors were set.
        """),
    ),
    ("W1b", "status"): (
        "W1b, status",
        words("""
        one `lstat` a file, as git, from Python. Kept: a second process for half of the
        folders. A cache of their listings would save the listing, not the `lstat`s.
        """),
    ),
    ("W1", "switch"): (
        "W1, switch",
        words("""
        the start of Python, every new file written aside and verified before the first takes its place
        (git writes them one by one), and nine `fsync`s where git has none: of the index, HEAD, its log
        and the heads that this client saw last, each with its folder (3 ms in all). Tried and kept: trees
        that both versions share are not read, rows of the index that stay are copied by the stretch, and
        from a hundred files on inodes are asked for where none was freed lately (see above), which takes
        0.03 s to 0.07 s off right after 20,000 files were removed. Of what is left, two fifths are the
        start of Python and as much is the kernel making and renaming 200 files.
        """),
    ),
    ("W1", "restore"): (
        "W1, restore",
        words("""
        against `cp -r`: every byte is hashed, and the index is written too. Tried and kept: whole
        folders built aside and given their place by one rename, blobs read in the order of the
        pack, half of the files in a second process. Right after files were removed, mlstore is many
        times faster than `cp`, since it asks for another part of the disk; that is not measured
        here.
        """),
    ),
    ("W1", "verify"): (
        "W1, full verification",
        words("""
        of 0.22 s the start of Python is 0.055 s, the indexes of the packs 0.03 s, hashing 80 MB in two
        processes 0.06 s, and trees, names and the index 0.07 s in one of them. To do the last while the
        other hashes more would save 0.035 s at most, and find damage in another order; it was not done.
        restic takes about as long as it did where the factor was set; git's `fsck` takes half of what it
        took there.
        """),
    ),
    ("W2", "first"): (
        "W2, first add + commit",
        words("""
        what is measured is the disk: 2 GiB, written and synced by both. Single runs differ by
        several times, in both directions; the user CPU seconds below do not.
        """),
    ),
    ("W2", "verify"): (
        "W2, full verification",
        words("""
        BLAKE3 on all threads by mlstore too; beyond it are the start of Python and reading into
        memory of our own, where the yardstick maps the file. A file that is mapped and truncated
        meanwhile kills the reader.
        """),
    ),
    ("W2", "touched"): (
        "W2, status after touch",
        words("""
        the start of Python, and xxh3 over what `cat` only moves.
        """),
    ),
    ("W2", "restore"): (
        "W2, restore",
        words("""
        the disk, as in the first row of W2; every byte is hashed on the way.
        """),
    ),
    ("W2", "second"): (
        "W2, version 2",
        words("""
        the disk, as in the first row of W2.
        """),
    ),
    ("W3", "first"): (
        "W3, first add + commit",
        words("""
        300 MB of CSV are cut, hashed and compressed on two cores; DVC copies them. It pays in the
        rows below: the store is about
        half as large as DVC's, and version 2 adds
        well under a megabyte to it.
        """),
    ),
    ("W3", "second"): (
        "W3, version 2",
        words("""
        the CSV is read, cut and hashed as a whole to find what is new, and two starts of Python
        come on top.
        """),
    ),
    ("W3", "verify"): (
        "W3, full verification",
        words("""
        the CSV is decompressed, and hashed twice, as chunks and as the file; model-signing hashes
        files as they are. Its time is a quarter
        less here than where the factor was set.
        """),
    ),
}
