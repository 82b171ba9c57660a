"""The Oxen commands that the benchmark needs, run by the Python of Oxen's own environment."""

from __future__ import annotations

import sys

import oxen  # type: ignore[import-not-found]


def main(verb: str, argument: str = "") -> None:
    if verb == "version":
        print(oxen.__version__)
    elif verb == "init":
        oxen.user.config_user("Ada Lovelace", "ada@example.org")
        oxen.init(".")
    elif verb == "record":
        repo = oxen.Repo(".")
        repo.add("data")
        repo.commit(argument)
    elif verb == "mark":
        # A branch per version, made where main stands, and main again.
        repo = oxen.Repo(".")
        repo.checkout(argument, create=True)
        repo.checkout("main")
    elif verb == "status":
        status = oxen.Repo(".").status()
        changes = [status.modified_files(), status.removed_files(), status.added_files()]
        print(changes if any(changes) else "clean")
    elif verb == "switch":
        oxen.Repo(".").checkout(argument)
    elif verb == "restore":
        oxen.Repo(".").restore("data")


if __name__ == "__main__":
    main(*sys.argv[1:])
