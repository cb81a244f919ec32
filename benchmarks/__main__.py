"""Command line of the benchmarks: ``python -m benchmarks speed``, and the like."""

from __future__ import annotations

import json
from pathlib import Path

import click

from benchmarks import repairs as repair_benchmark
from benchmarks import scale as scales
from benchmarks import speed as speeds
from benchmarks import training as training_benchmark
from benchmarks import units as unit_benchmark
from benchmarks import verdicts as verdict_benchmark
from benchmarks.mutants.scripts import networks as all_networks
from benchmarks.peers import PEERS
from benchmarks.rewrites import report as rewrite_benchmark
from benchmarks.rewrites.fixtures import fixtures as all_fixtures
from benchmarks.rewrites.kinds import KINDS
from benchmarks.rewrites.trial import drawn as drawn_rewrites


@click.group()
def main() -> None:
    """Measure gradcheck; nothing here is a test."""


@main.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How often each is timed.")
def speed(rounds: int) -> None:
    """Compare the time with a bare loop, and count the evaluations for large networks."""
    for line in speeds.rows_of_speed(rounds):
        click.echo(line)
    click.echo("\nwith default options")
    for line in speeds.rows_of_defaults():
        click.echo(line)


@main.command()
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1), help="Epochs of each training.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How often each is timed.")
@click.option("--samples", default=2048, show_default=True, type=click.IntRange(2), help="Samples of an epoch.")
def training(epochs: int, rounds: int, samples: int) -> None:
    """Compare the time per epoch of the reference trainer with those of scikit-learn, PyTorch and a plain loop."""
    for line in training_benchmark.rows_of_training(epochs, rounds, samples):
        click.echo(line)


def _names(_context: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
    names = [name for name in value.split(",") if name]
    if unknown := [name for name in names if name not in PEERS]:
        raise click.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(PEERS)}")
    return names


@main.command()
@click.option("--first-seed", default=0, show_default=True, help="Seed of the first function and network.")
@click.option("--functions", default=1000, show_default=True, type=click.IntRange(0), help="Number of functions.")
@click.option("--networks", default=2, show_default=True, type=click.IntRange(0), help="Number of networks.")
@click.option(
    "--peers", default=",".join(PEERS), show_default=True, callback=_names, help='Others to ask; "" for none.'
)
def verdicts(first_seed: int, functions: int, networks: int, peers: list[str]) -> None:
    """Count false alarms and misses of gradcheck and of its peers."""
    seeds = (range(first_seed, first_seed + number) for number in (functions, networks))
    for line in verdict_benchmark.all_lines(peers, *seeds):
        click.echo(line)


@main.command()
@click.option(
    "--peers", default=",".join(PEERS), show_default=True, callback=_names, help='Others to ask; "" for none.'
)
@click.option("--limit", default=60.0, show_default=True, help="Seconds that a checker may take for one gradient.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="Largest number of processes.")
@click.option("--plot", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Draw the table.")
def scale(peers: list[str], limit: float, workers: int, plot: Path | None) -> None:
    """Compare evaluations, time and findings for 1,000 to 1,000,000 parameters, and several processes with one."""
    # before other libraries start threads of their own
    of_workers = list(scales.rows_of_workers(workers))
    found, notes = scales.measured(peers, limit)
    for line in (*scales.rows(found), "", *notes, "", *of_workers):
        click.echo(line)
    if plot is not None:
        scales.draw(found, plot)


@main.command()
@click.option("--first-seed", default=0, show_default=True, help="Seed of the first problem.")
@click.option("--problems", default=200, show_default=True, type=click.IntRange(1), help="Number of problems.")
def units(first_seed: int, problems: int) -> None:
    """Count mistakes that are found in one of several derivatives of very different units."""
    for line in unit_benchmark.rows_of_units(range(first_seed, first_seed + problems)):
        click.echo(line)


@main.command()
@click.option("--seed", default=0, show_default=True, help="Decides which mistakes are planted.")
@click.option("--single", default=160, show_default=True, type=click.IntRange(0), help="Mutants with one mistake.")
@click.option("--double", default=40, show_default=True, type=click.IntRange(0), help="Mutants with two mistakes.")
@click.option(
    "--only", metavar="NETWORK", type=click.Choice([one.name for one in all_networks()]), help="Only of this network."
)
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Check N mutants at the same time.")
@click.option("--show-failures", is_flag=True, help="Print every mutant that is not found, or not mended as it was.")
@click.option(
    "--keep", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path), help="Keep the mutants and the fixes."
)
def repairs(
    seed: int, single: int, double: int, only: str | None, jobs: int, show_failures: bool, keep: Path | None
) -> None:
    """Plant mistakes into correct networks; count what is found and mended.

    A mutant counts if it runs, prints other losses than the correct network, and not just those of another step size.
    Ends with 1 if a fix that was offered as verified is not accepted at other points.
    """
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in all_networks() if only in (None, one.name)]
    mutants = repair_benchmark.drawn(chosen, single=single, double=double, seed=seed)
    results = []
    for number, trial in enumerate(repair_benchmark.trials(mutants, jobs, keep)):
        results.append(trial)
        if show_failures and repair_benchmark.wanting(trial):
            for line in repair_benchmark.failure(number, trial):
                click.echo(line)
    click.echo(f"\n{len(results)} mutants of {len(chosen)} networks, seed {seed}\n")
    for line in repair_benchmark.table(results):
        click.echo(line)
    raise SystemExit(any(trial.fails_elsewhere for trial in results))


def _fixtures(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> list[str]:
    known = {name: {name, name.rpartition("/")[2]} for name in (fixture.name for fixture in all_fixtures())}
    if unknown := set(value).difference(*known.values()):
        raise click.BadParameter(f"no fixture is called {', '.join(sorted(unknown))}")
    return [name for name, both in known.items() if not value or both & set(value)]


@main.command()
@click.option("--seed", default=0, show_default=True, help="Decides what is drawn, and each rewrite.")
@click.option("--count", type=click.IntRange(1), help="Number of rewrites; by default, one for each fixture and kind.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, type=click.Choice(list(KINDS)), help="Only this kind.")
@click.option("--only", metavar="FIXTURE", multiple=True, callback=_fixtures, help="Only of this fixture: buggy/NAME.")
@click.option("--causes", is_flag=True, help="Look for causes, and compare the lines that are blamed; takes longer.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Check N at the same time.")
@click.option(
    "--keep", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path), help="Keep the rewritten scripts."
)
@click.option(
    "--json", "file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write all answers there."
)
def rewrites(
    seed: int,
    count: int | None,
    kinds: tuple[str, ...],
    only: list[str],
    causes: bool,
    jobs: int,
    keep: Path | None,
    file: Path | None,
) -> None:
    """Rewrite the fixtures in ways that change nothing; count the answers that change.

    A rewrite counts if it prints what the fixture prints. Verdict, wrong parameters and the lines in which their
    gradients are computed are compared.
    """
    chosen = {name: kind for name, kind in KINDS.items() if not kinds or name in kinds}
    draws = drawn_rewrites(only, chosen, count or len(only) * len(chosen), seed)
    results = []
    for trial in rewrite_benchmark.trials(draws, all_fixtures(), jobs, causes=causes, kept=keep):
        results.append(trial)
        for line in rewrite_benchmark.difference(trial) if trial.different else ():
            click.echo(line)
    click.echo(f"\n{len(draws)} rewrites of {len({draw.fixture for draw in draws})} fixtures, seed {seed}\n")
    click.echo(rewrite_benchmark.table(results))
    click.echo(f"\n{rewrite_benchmark.share(results)}")
    if file is not None:
        file.write_text(json.dumps(rewrite_benchmark.fields(results, seed), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
