"""`python -m zoo score`: flags, and a pipeline of them."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from zoo.inputs import MAX_CHARACTERS
from zoo.quiet import import_tensorflow
from zoo.saving.versions import find

RUNNER = "FnApiRunner"
EPILOG = f"""\
Further flags are Beam's own, such as --flink_master=HOST:8081 --environment_type=LOOPBACK, or
--project=... --region=... --temp_location=gs://...; workers on other machines need this package,
--setup_file or a container with it.

{RUNNER}, the default, runs here and now, in one process in which TensorFlow uses all cores, and
needs nothing else. Each file is read by one worker: what is to be spread comes in many files.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument("name", help="of a model, or its path")
    parser.add_argument(
        "--input",
        required=True,
        action="append",
        help="pattern of files: .txt (a text a line), .jsonl, .csv, .tsv or .parquet, also with "
        ".gz behind. In quotes, or the shell expands it; may be repeated",
    )
    parser.add_argument(
        "--output",
        required=True,
        help="folder of the shards: scored-00000-of-00003.jsonl, ... and bad-00000-of-00001.jsonl "
        "with file, line and reason of each row that is of no use",
    )
    parser.add_argument("--column", default="text", help="of the texts. Default: text")
    parser.add_argument(
        "--signature",
        help="that is asked, one that takes texts alone; its outputs are written. By default what "
        "the programs write with --mode=predict",
    )
    parser.add_argument(
        "--batch_size",
        type=_count,
        default=1024,
        help="texts that are read at a time, fewer where they are long; those of like length run "
        "together. Default: 1024",
    )
    parser.add_argument(
        "--shard_megabytes",
        type=_count,
        default=64,
        help="at which a shard ends. Default: 64",
    )
    parser.add_argument(
        "--max_characters",
        type=_count,
        default=MAX_CHARACTERS,
        help=f"of a text; a longer one is a bad row. Default: {MAX_CHARACTERS}",
    )
    parser.add_argument(
        "--runner",
        default=RUNNER,
        help=f"Beam's: FlinkRunner, SparkRunner, DataflowRunner, ... Default: {RUNNER}",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=argparse.SUPPRESS,
        help="of the models, as before the command",
    )


def run(given: argparse.Namespace, flags: Sequence[str]) -> str:
    """Scores files, and returns what there is to say of it.

    Args:
        given: the flags of the command.
        flags: those of Beam.

    Raises:
        ValueError: there is no such model, file or flag, or the output is there already.
        RuntimeError: Beam is not installed, or the pipeline failed.
    """
    folder = getattr(given, "folder", None)
    find(given.name, folder=folder)
    # Where a job is sent elsewhere, its runner says how it fares; here that would be noise.
    logging.basicConfig(level=logging.CRITICAL if given.runner == RUNNER else logging.INFO)
    try:
        import apache_beam  # noqa: F401
    except ImportError:
        raise RuntimeError(
            "scoring needs Apache Beam: pip install 'lecture-rnn-zoo[beam]', in a clone "
            "pip install -e '.[beam]'"
        ) from None
    import_tensorflow()
    from zoo.serving import scoring
    from zoo.serving.beam import Handler

    options = scoring.options_of(given.runner, flags)
    files = [path for pattern in given.input for path in scoring.find_files(pattern)]
    scoring.check_output(given.output)
    job = scoring.Job(
        handler=Handler(
            given.name,
            folder=folder,
            signature=given.signature,
            max_characters=given.max_characters,
        ),
        files=files,
        output=given.output,
        column=given.column,
        batch_size=given.batch_size,
        shard_bytes=given.shard_megabytes * 2**20,
        max_characters=given.max_characters,
    )
    counted = scoring.score(job, options)
    texts, bad = counted.get(scoring.GOOD, 0), counted.get(scoring.BAD, 0)
    if bad and not texts:
        raise RuntimeError(
            f"{given.output}: no row is of use, and {bad:,} are bad. The first: "
            f"{scoring.first_reason(given.output)}"
        )
    # Only some runners count what goes on elsewhere.
    return f"{given.output}: {texts:,} texts" + (f", {bad:,} bad rows" if bad else "")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"expected a number from 1 up. Received: {text}")
    return int(text)
