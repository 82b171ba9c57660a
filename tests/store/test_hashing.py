from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import blake3
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import UsageError
from mlstore.hashing import (
    BUFFER_SIZE,
    Digester,
    checksum_bytes,
    checksum_fd,
    digest_bytes,
    hash_chunks,
    hash_fd,
    is_object_id,
    object_format,
    parse_object_id,
    read_chunks,
)

FORMATS = ["blake3", "sha256"]
GOOD = "0123456789abcdef" * 4


def oracle(name: str, data: bytes) -> str:
    return blake3.blake3(data).hexdigest() if name == "blake3" else hashlib.sha256(data).hexdigest()


def test_the_blake3_id_is_that_of_b3sum() -> None:
    # The published vector for the empty input: what `b3sum /dev/null` prints.
    assert (
        object_format("blake3").hash_bytes(b"")
        == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    )


def test_the_sha256_id_is_that_of_sha256sum() -> None:
    assert (
        object_format("sha256").hash_bytes(b"abc")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@pytest.mark.parametrize("name", FORMATS)
@given(chunks=st.lists(st.binary(max_size=200)))
def test_a_stream_has_the_digest_of_its_concatenation(name: str, chunks: list[bytes]) -> None:
    fmt = object_format(name)
    whole = b"".join(chunks)
    digest = hash_chunks(fmt, chunks)
    assert digest == digest_bytes(fmt, whole)
    assert (digest.id, digest.size) == (oracle(name, whole), len(whole))
    assert digest.checksum == xxhash.xxh3_128_digest(whole) == checksum_bytes(whole)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "size",
    [0, 1, 4095, 4096, 4097, 256 << 10, BUFFER_SIZE - 1, BUFFER_SIZE, BUFFER_SIZE + 1, 2 * BUFFER_SIZE],
)
def test_a_file_has_the_digest_of_its_bytes_at_every_buffer_boundary(
    tmp_path: Path, name: str, size: int
) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    path = tmp_path / "file"
    path.write_bytes(data[:size])
    fmt = object_format(name)
    with path.open("rb") as file:
        assert hash_fd(fmt, file.fileno()) == digest_bytes(fmt, data[:size])
        file.seek(0)
        assert checksum_fd(file.fileno()) == checksum_bytes(data[:size])
        file.seek(0)
        assert b"".join(map(bytes, read_chunks(file.fileno()))) == data[:size]


def test_hashing_starts_where_the_descriptor_stands(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"headbody")
    with path.open("rb") as file:
        os.lseek(file.fileno(), 4, os.SEEK_SET)
        assert hash_fd(object_format("blake3"), file.fileno()).id == oracle("blake3", b"body")


@pytest.mark.parametrize("parallel", [False, True])
def test_threads_do_not_change_the_hash(parallel: bool) -> None:
    data = bytes(3 << 20)
    digester = Digester(object_format("blake3"), parallel=parallel)
    digester.update(data[: 1 << 20])
    digester.update(data[1 << 20 :])
    assert digester.digest().id == oracle("blake3", data)


def test_an_id_is_taken_as_it_is() -> None:
    assert parse_object_id(GOOD) == GOOD
    assert is_object_id(GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "0",
        GOOD.upper(),
        GOOD[:-1] + "g",
        GOOD + "\n",
        "\n" + GOOD[1:],
        " " + GOOD[1:],
        GOOD[:-1] + "\u0663",  # ARABIC-INDIC DIGIT THREE
        GOOD[:-1] + "\uff11",  # FULLWIDTH DIGIT ONE
        "../" + GOOD[3:],
        "0x" + GOOD[2:],
        GOOD[:-1] + "\0",
    ],
)
def test_what_is_not_exactly_64_lowercase_hex_digits_is_no_id(text: str) -> None:
    assert not is_object_id(text)
    with pytest.raises(UsageError):
        parse_object_id(text)


@pytest.mark.parametrize("value", [None, 5, GOOD.encode(), [GOOD]])
def test_what_is_not_text_is_no_id(value: object) -> None:
    assert not is_object_id(value)


@pytest.mark.parametrize("name", ["md5", "", "BLAKE3", "sha-256"])
def test_an_unknown_object_format_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        object_format(name)
    assert caught.value.hint is not None
    assert "blake3, sha256" in caught.value.hint


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA binds only on Linux")
def test_a_large_file_is_hashed_in_bounded_memory(tmp_path: Path) -> None:
    """A limit on data of 96 MB, a file of 300: it only works piece by piece."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(300 << 20)
        file.seek(150 << 20)
        file.write(b"not only zeros")
    code = """if True:
        import resource, sys
        from mlstore.hashing import hash_fd, object_format
        resource.setrlimit(resource.RLIMIT_DATA, (96 << 20, 96 << 20))
        with open(sys.argv[1], "rb") as file:
            print(hash_fd(object_format("blake3"), file.fileno()).size)
        try:
            open(sys.argv[1], "rb").read()
        except MemoryError:
            print("the limit holds")
        """
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env=os.environ | {"RAYON_NUM_THREADS": "2"},  # each thread's stack counts
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.stdout.split("\n")[:2], done.stderr) == ([str(300 << 20), "the limit holds"], "")
