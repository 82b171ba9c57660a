"""Fuzz the decoders for as long as you like: `./dev fuzz [--seconds N] [--target NAME] [--seed N]`.

Each target takes its turn of a thousand mutations. What breaks one is written to `.fuzz/TARGET-HASH`, to be
mended and then put into `tests/fuzz/corpus/TARGET/`. With `--atheris` (which has to be installed: `pip
install atheris`) one target is driven by coverage instead, from its valid inputs on; the first breakage ends
that. What reached new branches is kept in `.fuzz/corpus/TARGET`, and gone on from.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.mutate import mutate
from tests.fuzz.targets import TARGETS

CRASHES = Path(".fuzz")
ROUND = 1000


def attempt(name: str, data: bytes, *, repaired: bool) -> Exception | None:
    """Give *data* to a target, with its checksums made right if asked for.

    Gives the documented error that it was refused with, None when it was accepted; any other error comes out.
    """
    target = TARGETS[name]
    try:
        target.run(target.repair(data) if repaired else data)
    except target.errors as exc:
        return exc
    return None


def drive(names: list[str], seconds: float, seed: int) -> int:
    """Mutate in turns until the time is over; gives the number of breakages."""
    rng, broken, runs, end = random.Random(seed), 0, 0, time.monotonic() + seconds
    print(f"seed {seed}, {len(names)} targets, {seconds:g} seconds", flush=True)
    while time.monotonic() < end:
        for name in names:
            seeds = TARGETS[name].seeds()
            for number in range(ROUND):
                data = mutate(rng, seeds)
                runs += 1
                try:
                    attempt(name, data, repaired=bool(number % 2))
                except Exception:  # noqa: BLE001 - whatever comes out here is a finding
                    broken += 1
                    tell(name, TARGETS[name].repair(data) if number % 2 else data)
            if time.monotonic() >= end:
                break
    print(f"{runs} inputs, {broken} broke a decoder")
    return broken


def tell(name: str, data: bytes) -> None:
    """Keep what broke a target, and show how."""
    CRASHES.mkdir(exist_ok=True)
    path = CRASHES / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    print(f"{name}: {path}\n{traceback.format_exc(limit=-3)}", flush=True)


def drive_by_coverage(name: str, seconds: float, seed: int) -> None:
    """Hand one target to atheris, which ends the process: with status 0, or where something broke."""
    import atheris  # type: ignore[import-not-found,unused-ignore]

    seeds = TARGETS[name].seeds()
    for data in seeds:  # targets import what they need when they run; only what is there is instrumented
        attempt(name, data, repaired=False)
    atheris.instrument_all()

    def once(data: bytes) -> None:
        for repaired in (False, True):
            try:
                attempt(name, data, repaired=repaired)
            except Exception:
                tell(name, TARGETS[name].repair(data) if repaired else data)
                raise

    corpus = CRASHES / "corpus" / name  # which grows, and is gone on from
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    limits = [f"-max_total_time={int(seconds)}", f"-seed={seed % (1 << 31) or 1}"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={CRASHES}/", str(corpus)], once)
    atheris.Fuzz()


def main() -> int:
    """Parse the command line and fuzz."""
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--atheris", action="store_true", help="be driven by coverage; needs one --target")
    chosen = parser.parse_args()
    names = chosen.target or sorted(TARGETS)
    if chosen.atheris:
        if len(names) != 1:
            parser.error("--atheris drives one target: name it with --target")
        drive_by_coverage(names[0], chosen.seconds, chosen.seed)
        return 0
    return 1 if drive(names, chosen.seconds, chosen.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
