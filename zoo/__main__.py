"""python -m zoo: the models, their cards, whether they are whole, how fast they are.

python -m zoo                       a table of the models
python -m zoo card NAME             what is known of one
python -m zoo verify [NAME ...]     checksums, and the answers that the cards show
python -m zoo benchmark NAME ...    latency and throughput, written into the card
python -m zoo train NAME [FLAGS]    the recipe, start to finish, its baseline too
python -m zoo collect NAME RUN      results and card, from what training runs wrote
python -m zoo resave NAME ...       the same weights in the graph of this version, as a new version
python -m zoo cards                 writes all cards and, of a clone, the table in README.md
python -m zoo serve-config          writes what TensorFlow Serving is started with
python -m zoo score NAME [FLAGS]    files of texts through a model, by Apache Beam
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from zoo.catalog import cards, speed
from zoo.catalog.entries import ENTRIES, entry
from zoo.catalog.results import RESULTS, RunResults, read_entry
from zoo.configuration import STORED
from zoo.quiet import import_tensorflow
from zoo.saving import versions
from zoo.serving import command as serving
from zoo.serving import score_command as scoring

# TensorFlow takes seconds to import: what needs it is imported by the commands that need it.

# Commands that write into the folder of the models.
_WRITING = ("train", "collect", "benchmark", "resave", "cards")
_CORES, _SIZES = (1, 2), (1, 8, 64, 256)


def show_table(folder: Path) -> None:
    """Prints the models of a folder.

    Raises:
        ValueError: there are none.
    """
    names = versions.list_models(folder)
    if not names:
        raise ValueError(f"{folder}: expected a folder with models. Received: none")
    print(cards.table(folder, links=False), end="")
    known = cards.described(folder)
    others = [name for name in names if name not in known]
    if others:
        print(f"\nWithout results, or with damaged ones: {', '.join(others)}")


def show_card(folder: Path, name: str) -> None:
    """Prints what is known of a model."""
    results = read_entry(name, folder)
    entry(name)
    print(cards.card(name, results), end="")


def verify(folder: Path, names: Sequence[str]) -> int:
    """Exit code 1 where something is wrong."""
    names = names or [name for name in versions.list_models(folder) if name in ENTRIES]
    if not names:
        raise ValueError(f"{folder}: expected a folder with models of the zoo. Received: none")
    import_tensorflow()
    from zoo.catalog import verifying

    found = 0
    for name in names:
        try:
            wrong = verifying.problems(name, folder)
        except OSError as error:  # its record or its SavedModel cannot be read
            wrong = [str(error)]
        print(f"{name}: {'whole, and answers as its card says' if not wrong else 'broken'}")
        for line in wrong:
            print(f"  {line}", file=sys.stderr)
        found += len(wrong)
    return min(1, found)


def benchmark(folder: Path, names: Sequence[str]) -> None:
    """Measures models, prints how fast they are, and writes it into their results and cards."""
    for name in names:
        results = read_entry(name, folder)
        version = folder / name / str(results.version)
        cores = [n for n in _CORES if n <= (os.cpu_count() or 1)]
        results.speed = {}
        for count in cores:
            found = speed.measure(version, entry(name).samples, count, _SIZES)
            results.speed[str(count)] = found
            for size, one in found.items():
                print(
                    f"{name}: {count} cores, {size} texts: median {one.median_ms:.2f} ms, "
                    f"99th percentile {one.p99_ms:.2f} ms, {one.per_second:,.0f} texts/s",
                    flush=True,
                )
        cards.write_results(name, results, folder)


def train(folder: Path, name: str, flags: Sequence[str], runs: Path) -> int:
    """Trains an entry and what it is compared with, which has further flags."""
    said = entry(name)
    given = {flag.lstrip("-").partition("=")[0] for flag in flags if flag.startswith("-")}
    missing = [flag for flag in said.needs if flag not in given]
    if missing:
        raise ValueError(
            f"{name}: expected the paths of its corpus, {said.data}: "
            f"{' '.join(f'--{flag}=PATH' for flag in said.needs)}. Received: {list(flags)}"
        )
    baseline = [*said.recipe, *said.baseline.flags, *flags]
    for command, run, export in (
        ([*said.recipe, *flags], runs / name, folder / name),
        (baseline, runs / f"{name}_baseline", runs / f"{name}_baseline" / "saved"),
    ):
        places = [f"--model_dir={run}", f"--export_dir={export}"]
        code = run_task(said.task, [*command, *places])
        if code:
            return code
    collect(folder, name, runs / name, runs / f"{name}_baseline")
    if said.picture:
        places = [f"--model={folder / name}", f"--output_file={folder / name / cards.PICTURE}"]
        return run_task(said.task, [*said.picture, *places])
    return 0


def run_task(task: str, flags: Sequence[str]) -> int:
    """Runs the program of a task; returns its exit code."""
    print(f"\n{shlex.join(['python', '-m', f'tasks.{task}', *flags])}", flush=True)
    return subprocess.run([sys.executable, "-m", f"tasks.{task}", *flags]).returncode


def collect(folder: Path, name: str, run: Path, baseline: Path | None) -> None:
    """Takes what training runs left into the entry's results and card."""
    entry(name)
    found = _of_run(run)
    compared = None if baseline is None else _of_run(baseline)
    import_tensorflow()
    from zoo.catalog import collecting

    cards.write_results(name, collecting.collect(name, found, compared, folder), folder)
    print(folder / name / cards.CARD)


def _of_run(run: Path) -> RunResults:
    try:
        return RunResults.read(run / RESULTS)
    except FileNotFoundError:
        raise ValueError(
            f"{run}: expected the --model_dir of a finished run, with {RESULTS} in it. Received: "
            "none"
        ) from None


def resave(folder: Path, names: Sequence[str], to: Path | None, weights: str | None) -> None:
    """Saves models again; entries that are saved beside their last version get its results.

    Raises:
        ValueError: there is no such model, several are to be versions of one, or a version would
            not be what its card says; then none is saved.
    """
    if to is not None and len(names) > 1:
        raise ValueError(
            "--to: expected the name of one model, whose versions the folder holds. Received: "
            f"{', '.join(names)}; give each a folder of its own, as --to=FOLDER/{names[0]}"
        )
    if to is not None and to.exists() and not to.is_dir():
        raise ValueError(f"--to: expected a folder. Received: {to}, a file")
    own = versions.list_models(folder)
    measured = [name for name in names if name in own and (folder / name / RESULTS).exists()]
    for name in names:
        versions.find(name, folder=folder if name in own else None)
        if to is None and weights is not None and name in measured:
            _check_measured(name, folder, weights)
    import_tensorflow()
    from zoo.catalog import collecting, resaving

    for name in names:
        print(resaving.resave(folder / name if name in own else name, to, weights), flush=True)
        if to is None and name in measured:
            results = collecting.of_version(read_entry(name, folder), folder)
            cards.write_results(name, results, folder)


def _check_measured(name: str, folder: Path, weights: str) -> None:
    """Raises ValueError where a new version would not be what an entry's card was measured of."""
    stored = (read_entry(name, folder).stored or {}).get("weights", "float32")
    if weights != stored:
        raise ValueError(
            f"--weights: expected {stored} for {name}, by which its card was measured. Received: "
            f"{weights}; with --to=FOLDER it is saved elsewhere, without a card"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zoo", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="of the models; by default the zoo's own")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("list", help="a table of the models")
    commands.add_parser("card", help="what is known of a model").add_argument(
        "name", metavar="NAME", help="of a model"
    )
    commands.add_parser("verify", help="whether models are whole").add_argument(
        "names", nargs="*", metavar="NAME", help="of a model; default: all"
    )
    commands.add_parser("benchmark", help="how fast").add_argument(
        "names", nargs="+", metavar="NAME", help="of a model"
    )
    training = commands.add_parser("train", help="the recipe; further flags go to the task")
    training.add_argument("name", metavar="NAME", help="of the entry")
    training.add_argument("--runs", type=Path, default=Path("runs"), help="checkpoints and logs")
    collecting = commands.add_parser("collect", help="results and card from training runs")
    collecting.add_argument("name", metavar="NAME", help="of the entry")
    collecting.add_argument("run", metavar="RUN", type=Path, help="its --model_dir")
    collecting.add_argument("--baseline", type=Path, help="folder of what it is compared with")
    resaving = commands.add_parser("resave", help="the same weights in the graph of this version")
    resaving.add_argument("names", nargs="+", metavar="NAME", help="or the path of a SavedModel")
    resaving.add_argument(
        "--to", type=Path, help="folder of the versions of one; default: beside the old version"
    )
    resaving.add_argument(
        "--weights", choices=STORED, help="how they are stored; default: as they were"
    )
    commands.add_parser("cards", help="writes all cards and, of a clone, the table in README.md")
    serving.add_arguments(
        commands.add_parser("serve-config", help="what TensorFlow Serving is started with")
    )
    scoring.add_arguments(
        commands.add_parser(
            "score",
            help="files of texts through a model; further flags go to Apache Beam",
            epilog=scoring.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
    )
    return parser


def _folder(given: argparse.Namespace) -> Path:
    """Of the models; by default the zoo's own, but for new ones beside an installed package.

    Raises:
        ValueError: the command would write into an installed package.
    """
    is_new = given.command in ("train", "collect") and not versions.is_clone()
    folder = given.folder or (Path(versions.SAVED_MODELS) if is_new else versions.home())
    if given.command in _WRITING:
        versions.check_writable(folder)
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code."""
    parser = _parser()
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command not in ("train", "score"):
        parser.error(f"unexpected arguments: {' '.join(rest)}")
    try:
        folder = _folder(given)
        match given.command:
            case "card":
                show_card(folder, given.name)
            case "verify":
                return verify(folder, given.names)
            case "benchmark":
                benchmark(folder, given.names)
            case "train":
                return train(folder, given.name, rest, given.runs)
            case "collect":
                collect(folder, given.name, given.run, given.baseline)
            case "resave":
                resave(folder, given.names, given.to, given.weights)
            case "cards":
                print(*cards.write_all(folder), sep="\n")
            case "serve-config":
                paths = serving.run(given, folder)
                print(*paths, sep="\n")
                print(f"Start it: docker compose -f {paths[-1]} up")
            case "score":
                print(scoring.run(given, rest))
            case _:
                show_table(folder)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"zoo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nzoo: stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
