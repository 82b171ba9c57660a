"""model-signing: keeps no versions; signs a tree and verifies it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.measure import Command
from tests.benchmarks.tools.base import Commands, Package, Place, Tool

if TYPE_CHECKING:
    from pathlib import Path


class ModelSigning(Tool):
    """Signing stands in the row of the first add; a private key of its own, no service."""

    name = "model-signing"
    package = Package(python=("model-signing", "pyopenssl"))
    program = "model_signing"
    verification = "keeps no copy; `verify` hashes the tree"
    how = "`sign key` in the row of the first add, `verify key` in that of verification"

    def store(self, place: Place) -> tuple[Path, ...]:
        return (place.store,)

    def init(self, place: Place) -> Commands:
        key = str(place.home / "key.pem")
        return (
            Command(
                ("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key), place.work
            ),
            Command(("openssl", "ec", "-in", key, "-pubout", "-out", f"{key}.pub"), place.work),
        )

    def record(self, place: Place, version: str) -> Commands:
        key, signature = str(place.home / "key.pem"), str(place.store / "model.sig")
        sign = ("sign", "key", "--private_key", key, "--signature", signature, "data")
        return (self.command(place, *sign),)

    def verify(self, place: Place, version: str) -> Commands:
        key, signature = str(place.home / "key.pem.pub"), str(place.store / "model.sig")
        check = ("verify", "key", "--public_key", key, "--signature", signature, "data")
        return (self.command(place, *check),)
