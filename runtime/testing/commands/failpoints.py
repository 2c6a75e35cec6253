"""`failpoints`: kills a node at every durable boundary, and at every ordered pair of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from runtime.adapters import SystemClock
from runtime.failpoints import Failpoint
from runtime.operate.proofs.proof import CrashesTried, Proof, ProofResult
from runtime.operate.proofs.proof_file import cut_text
from runtime.testing.commands import options
from runtime.testing.commands.ending import Ending
from runtime.testing.commands.loading import workload_named
from runtime.testing.commands.spread import spread
from runtime.testing.proofs import Begun
from runtime.testing.runs.exhaustive import Crash, Reference, pairs, reference, run_crash, singles, some_pairs
from runtime.testing.runs.run import RunResult
from runtime.testing.runs.story import story
from runtime.testing.runs.workload import Workload
from runtime.version import amends_version

__all__ = ["failpoints"]

_SHOWN_MAX = 3


@click.command()
@click.option(
    "--pairs", "pairs_max", type=click.IntRange(0), metavar="N", help="Try so many ordered pairs.  [default: all]"
)
@click.option("--list", "only_list", is_flag=True, help="Only list the points.")
@options.workload
@options.jobs
@options.proof
@options.as_json
@click.pass_context
def failpoints(
    ctx: click.Context,
    pairs_max: int | None,
    only_list: bool,
    name: str,
    jobs: int,
    proof: Path | None,
    as_json: bool,
) -> None:
    """Kill a node at every failpoint, each time it is reached, and at every ordered pair of failpoints."""
    if only_list:
        click.echo("\n".join(f"{point.name:20} {point.value}" for point in Failpoint))
        return
    base = reference(workload_named(name))
    if base.result.violations:
        click.echo("\n".join(story(base.result)), err=as_json)
        without = _Tally(name, base.seed, 1, all_pairs=False)
        without.add(None, base.result)
        options.write(proof, without)
        raise click.ClickException("the run without a crash breaks a promise already")
    once = list(singles(base))
    twice = list(pairs(base)) if pairs_max is None else some_pairs(base, pairs_max)
    with Ending() as ending:
        tally = _Tally(name, base.seed, len(once) + len(twice), all_pairs=len(twice) == len(base.reached) ** 2)
        _run(tally, base, [*once, *twice], name, jobs=jobs, ending=ending)
    ending.say(tally.crashes.total(), len(once) + len(twice), "runs")
    _tell(tally, base, once, twice, as_json=as_json)
    options.write(proof, tally)
    ctx.exit(ending.exit_code(1 if tally.failed else 0))


@dataclass(slots=True)
class _Tally:
    workload: str
    seed: int
    planned: int  # So many runs are to be made.
    all_pairs: bool
    begun: Begun = field(default_factory=Begun)
    singles: int = 0  # Runs that were to crash once.
    pairs: int = 0  # Runs that were to crash twice.
    ended_at_s: float = 0.0  # Seconds since 1970.
    crashes: Counter[int] = field(default_factory=Counter)  # Counts the runs by their crashes: none, one or two.
    died_at: Counter[Failpoint] = field(default_factory=Counter)
    failed: list[tuple[Crash | None, RunResult]] = field(default_factory=list)

    def add(self, crash: Crash | None, result: RunResult) -> None:
        """None stands for the run without a crash."""
        died = result.faults.get("killed at a failpoint", 0)
        self.crashes[died] += 1
        self.singles += crash is not None and crash.after is None
        self.pairs += crash is not None and crash.after is not None
        self.begun.add(result.begun)
        self.ended_at_s = SystemClock().now_s()
        if died and crash is not None:
            self.died_at[crash.point] += 1
        if result.violations:
            self.failed.append((crash, result))

    def proofs(self) -> Sequence[Proof]:
        """See `Proving`. A broken promise counts against each saga that the runs have begun."""
        return [self._proof(kind, version) for kind, version in sorted(self.begun.instances)]

    def _proof(self, kind: str, version: str) -> Proof:
        broken, runs = self.failed[:1], self.crashes.total()
        return Proof(
            kind=kind,
            version=version,
            made_at_s=self.ended_at_s,
            amends=amends_version(),
            result=ProofResult.BROKEN if broken else ProofResult.CLEAN,
            short_of=f"only {runs:,} of {self.planned:,} runs were made" if runs < self.planned and not broken else "",
            broke="".join(cut_text(f"{run.violations[0].invariant}: {run.violations[0].what}") for _, run in broken),
            shown_by="".join(f"seed {self.seed}, {crash or 'without a crash'}" for crash, _ in broken),
            did=CrashesTried(
                workload=self.workload,
                seed=self.seed,
                singles=self.singles,
                pairs=self.pairs,
                all_pairs=self.all_pairs,
                begun=self.begun.instances[kind, version],
                begun_in=self.begun.runs[kind, version],
                failpoints=len(self.died_at),
                failpoints_of=len(Failpoint),
            ),
        )


def _run(tally: _Tally, base: Reference, crashes: Sequence[Crash], name: str, *, jobs: int, ending: Ending) -> None:
    with options.progress() as progress:
        bar = progress.add_task("crashes", total=len(crashes))
        for crash, result in spread(partial(_crash, base.seed), name, crashes, jobs=jobs, ending=ending):
            tally.add(crash, result)
            progress.update(bar, advance=1, description=f"crashes, {len(tally.failed)} failed")


def _crash(seed: int, workload: Workload, crash: Crash) -> RunResult:
    return run_crash(workload, seed, crash)


def _tell(tally: _Tally, base: Reference, once: Sequence[Crash], twice: Sequence[Crash], *, as_json: bool) -> None:
    for crash, result in tally.failed[:_SHOWN_MAX]:
        click.echo(f"\n{crash} (seed {base.seed})" + "\n".join(story(result)), err=as_json)
    unreached = [point.name for point in Failpoint if point not in base.reached]
    if as_json:
        told = {
            "failpoints": len(tally.died_at),
            "runs": tally.crashes.total(),
            "violations": sum(len(result.violations) for _, result in tally.failed),
            "hits": len(once),
            "pairs": len(twice),
            "pairs_met": tally.crashes[2],
            "unreached": unreached,
        }
        click.echo(json.dumps(told))
        return
    click.echo(f"{len(tally.died_at)} failpoints: {len(once):,} runs for single crashes, {len(twice):,} for pairs")
    click.echo(f"{tally.crashes[2]:,} of the pairs crashed twice: in the others nothing reaches the second point")
    click.echo(f"not reached by this workload: {', '.join(unreached) or 'none'}")
    click.echo(f"{len(tally.failed)} runs broke a promise")
