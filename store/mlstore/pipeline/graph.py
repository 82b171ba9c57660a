"""The stage graph: which stage reads what another one writes, as far as ``mlstore.toml`` can tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from mlstore.errors import ConfigError, UsageError
from mlstore.manifest import MANIFEST_NAME, Manifest, StageSpec
from mlstore.pipeline.overlap import overlap


@dataclass(frozen=True, slots=True)
class StageGraph:
    """The declared stages in the order in which they can run, each with those that come before it.

    ``order`` is topological and keeps to the order of the file where that leaves a choice.
    ``upstream`` maps each stage to the stages that it reads from. A stage without inputs follows the
    stage before it in the file, which makes a linear chain; ``follows`` says which (None: the first).
    """

    order: tuple[StageSpec, ...]
    upstream: dict[str, tuple[str, ...]]
    follows: dict[str, str | None]

    @classmethod
    def build(cls, manifest: Manifest, name: str = MANIFEST_NAME) -> StageGraph:
        """Draw the graph; raises ``ConfigError`` (file, line, key) for one that cannot run.

        That is: stages that wait for each other, two that write the same file, one that reads what it
        writes itself.
        """
        stages = list(manifest.stages.values())
        _refuse_shared_outputs(stages, name)
        follows = {
            stage.name: None if stage.inputs or at == 0 else stages[at - 1].name
            for at, stage in enumerate(stages)
        }
        upstream = {stage.name: _upstream(stage, stages, follows[stage.name]) for stage in stages}
        return cls(_sorted(stages, upstream, follows, name), upstream, follows)

    def get(self, name: str) -> StageSpec:
        """Give a stage; raises ``UsageError`` for one that is not declared."""
        for stage in self.order:
            if stage.name == name:
                return stage
        from difflib import get_close_matches

        names = [stage.name for stage in self.order]
        close = get_close_matches(name, names, n=1)
        raise UsageError(
            f"'{MANIFEST_NAME}' declares no stage '{name}'",
            hint=f"did you mean '{close[0]}'?" if close else f"it declares: {', '.join(names)}",
            stage=name,
        )

    def select(self, names: Iterable[str] = ()) -> tuple[StageSpec, ...]:
        """Give the stages *names* with all that they depend on, in order; without names, all stages."""
        wanted = {self.get(name).name for name in names}
        if not wanted:
            return self.order
        for stage in reversed(self.order):
            if stage.name in wanted:
                wanted.update(self.upstream[stage.name])
        return tuple(stage for stage in self.order if stage.name in wanted)

    def declares(self, path: str) -> bool:
        """Whether some stage reads or writes *path*."""
        return any(stage.reads(path) or stage.writes(path) for stage in self.order)


def _upstream(stage: StageSpec, stages: list[StageSpec], follows: str | None) -> tuple[str, ...]:
    if follows is not None:
        return (follows,)
    return tuple(
        other.name
        for other in stages
        if other.name != stage.name
        and any(overlap(spec.pattern, output) for spec in stage.inputs for output in other.outputs)
    )


def _refuse_shared_outputs(stages: list[StageSpec], name: str) -> None:
    for stage in stages:
        for spec in stage.inputs:
            for output in stage.outputs:
                if overlap(spec.pattern, output):
                    raise _error(
                        f"stage '{stage.name}' reads '{spec.text}', which it writes itself ('{output}')",
                        "let it write another file, or name the single files that it reads",
                        name,
                        stage,
                        "inputs",
                    )
    for one, other in combinations(stages, 2):
        for output in one.outputs:
            for rival in other.outputs:
                if overlap(output, rival):
                    same = f"'{rival}'" if output == rival else f"'{rival}', which overlaps '{output}'"
                    raise _error(
                        f"stages '{one.name}' and '{other.name}' both write {same}",
                        "a file has one stage that writes it",
                        name,
                        other,
                        "outputs",
                    )


def _sorted(
    stages: list[StageSpec],
    upstream: dict[str, tuple[str, ...]],
    follows: dict[str, str | None],
    name: str,
) -> tuple[StageSpec, ...]:
    placed: dict[str, StageSpec] = {}
    waiting = list(stages)
    while waiting:
        ready = next((stage for stage in waiting if placed.keys() >= set(upstream[stage.name])), None)
        if ready is None:
            raise _cycle_error(waiting, upstream, follows, name)
        placed[ready.name] = ready
        waiting.remove(ready)
    return tuple(placed.values())


def _cycle_error(
    waiting: list[StageSpec],
    upstream: dict[str, tuple[str, ...]],
    follows: dict[str, str | None],
    name: str,
) -> ConfigError:
    """Every stage that waits has one above it that waits too: walking up must come back."""
    names = {stage.name for stage in waiting}
    trail = [waiting[0].name]
    while True:
        above = next(before for before in upstream[trail[-1]] if before in names)
        if above in trail:
            trail = trail[trail.index(above) :]
            break
        trail.append(above)
    # From reader to writer so far: tell it in the direction in which the data goes.
    cycle = trail[::-1]
    cycle = [*cycle, cycle[0]]
    linear = next((stage for stage in trail if follows[stage] is not None), None)
    hint = "each stage may only read what stages before it wrote"
    if linear is not None:
        hint = f"'{linear}' has no inputs and so follows '{follows[linear]}': give it inputs, or move it up"
    first = next(stage for stage in waiting if stage.name == cycle[0])
    return _error(f"stages wait for each other: {' -> '.join(cycle)}", hint, name, first, "inputs")


def _error(message: str, hint: str, name: str, stage: StageSpec, key: str) -> ConfigError:
    return ConfigError(
        f"'{name}:{stage.line}': {message}",
        hint=hint,
        file=name,
        line=stage.line,
        key=f"stages.{stage.name}.{key}",
    )
