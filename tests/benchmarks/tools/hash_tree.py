"""Hash every file of a folder with BLAKE3: a thread per core for small files, all for a large one."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from blake3 import blake3

LARGE = 1 << 24


def hash_file(path: str) -> None:
    hasher = blake3(max_threads=blake3.AUTO)
    if os.path.getsize(path) >= LARGE:
        hasher.update_mmap(path)
        return
    with open(path, "rb", buffering=0) as file:
        hasher.update(file.read())
    hasher.digest()


def hash_folder(parent: str, names: list[str]) -> None:
    for name in names:
        hash_file(os.path.join(parent, name))


if __name__ == "__main__":
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(hash_folder, parent, names) for parent, _, names in os.walk(sys.argv[1])]:
            done.result()
