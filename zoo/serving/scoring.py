"""Files of texts through a model, as a pipeline of Apache Beam.

A file is read by one worker, and its rows pass in blocks through the model into a shard without
being gathered anywhere: memory does not grow with them. What Beam takes for an element is a block:
it spends as much time on one as a small model on a short text. Shards have temporary names until
all of them are whole.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineResult

from zoo import files, records, rows
from zoo.predictor import Predictor
from zoo.serving.beam import CHARACTERS, Handler

_NAMESPACE = "zoo.score"
# Parquet has dates, decimals and bytes, of which JSON knows nothing.
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
GOOD, BAD = "texts", "bad rows"


@dataclass(frozen=True)
class Job:
    """What is scored.

    Attributes:
        handler: of the model.
        files: in whatever file systems Beam reads.
        output: the folder of the shards.
        column: of the texts.
        batch_size: rows of a block; fewer where texts are long.
        shard_bytes: at which a shard ends, with the block that reaches them.
        max_characters: of a text; a longer one is a bad row.
    """

    handler: Handler
    files: Sequence[str]
    output: str
    column: str
    batch_size: int
    shard_bytes: int
    max_characters: int


def find_files(pattern: str) -> list[str]:
    """The files that are to be read.

    Raises:
        ValueError: there are none, or one of them is in no format that is read.
    """
    (match,) = FileSystems.match([_whole(pattern)])
    files = [found.path for found in match.metadata_list]
    if not files:
        raise ValueError(
            "--input: expected a file, or a pattern in quotes that files match. Received: "
            f"{pattern!r}"
        )
    for path in files:
        rows.ending(path)
    return files


def check_output(folder: str) -> None:
    """Raises ValueError where shards cannot be written: into a folder that has some, or none."""
    if not folder:
        raise ValueError("--output: expected a folder. Received: ''")
    if not FileSystems.get_scheme(folder):
        found = files.why_not_writable(folder)
        if found is not None:
            existing, reason = found
            raise ValueError(
                f"--output: expected a folder to write to. Received: {folder!r}; {existing!r} "
                f"{reason}"
            )
    (match,) = FileSystems.match([FileSystems.join(_whole(folder), "*.jsonl")], [1])
    if match.metadata_list:
        raise ValueError(
            f"--output: expected a folder without .jsonl files. Received: {folder!r}, with "
            f"{match.metadata_list[0].path}. Give another folder"
        )


def first_reason(folder: str) -> str:
    """Of the bad rows of an output, the first: its file, its row, and what is wrong with it."""
    (match,) = FileSystems.match([FileSystems.join(_whole(folder), "bad-*.jsonl")], [1])
    with FileSystems.open(match.metadata_list[0].path) as file:
        row = json.loads(file.readline())
    return f"{row['file']}:{row['row']}: {row['reason']}"


def options_of(runner: str, flags: Sequence[str]) -> PipelineOptions:
    """Beam's options.

    Raises:
        ValueError: there is a flag that neither Beam nor a runner elsewhere may know.
    """
    options = PipelineOptions([f"--runner={runner}", *flags])
    if runner in StandardOptions.LOCAL_RUNNERS:
        known = options.get_all_options().keys()
        unknown = options.get_all_options(retain_unknown_options=True).keys() - known
        if unknown:
            raise ValueError(
                f"expected flags of Apache Beam. Received: {' '.join(f'--{u}' for u in unknown)}"
            )
    return options


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds a job to a pipeline."""
    read = (
        pipeline
        | "Files" >> beam.Create(job.files)
        | "ToAllWorkers" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(_Read(job)).with_outputs(main=GOOD)
    )
    _ = read[GOOD] | "Ask" >> RunInference(_Lines(job.handler)) | "Write" >> _shards(job, "scored")
    reasons = read[BAD] | "AsReason" >> beam.Map(_JSON.encode)
    _ = reasons | "WriteBad" >> _shards(job, "bad", skip_if_empty=True)


def score(job: Job, options: PipelineOptions) -> dict[str, int]:
    """Runs a job to its end.

    Returns:
        How many texts were scored and how many rows were bad, where the runner counts.

    Raises:
        RuntimeError: it failed, on a worker or elsewhere.
    """
    pipeline = beam.Pipeline(options=options)
    build(pipeline, job)
    result = pipeline.run()
    result.wait_until_finish()
    return _counted(result)


class _Read(beam.DoFn):
    """From the path of a file to blocks of rows, and bad rows beside them."""

    def __init__(self, job: Job):
        self._column, self._max_characters = job.column, job.max_characters
        self._batch_size = job.batch_size

    def process(self, path: str) -> Iterator[Any]:
        good, bad = (Metrics.counter(_NAMESPACE, name) for name in (GOOD, BAD))
        # Beam's own unpacking takes a packed file that breaks off for a whole one.
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            found = rows.read(file, path, self._column, self._max_characters)
            for block in rows.blocks(found, self._batch_size, self._batch_size * CHARACTERS):
                if isinstance(block, rows.BadRow):
                    bad.inc()
                    yield beam.pvalue.TaggedOutput(BAD, dataclasses.asdict(block))
                else:
                    good.inc(len(block))
                    yield block


class _Lines(ModelHandler):
    """Takes blocks of rows, one at a time, and gives the lines of JSON of each as one string."""

    def __init__(self, handler: Handler):
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._handler = handler

    def load_model(self) -> Predictor:
        return self._handler.load_model()

    def run_inference(
        self, batch: Sequence[list[rows.Row]], model: Predictor, inference_args: Any = None
    ) -> list[str]:
        return ["\n".join(self._lines(block, model)) for block in batch]

    def get_num_bytes(self, batch: Sequence[list[rows.Row]]) -> int:
        return sum(self._handler.get_num_bytes([row.text for row in block]) for block in batch)

    def _lines(self, block: list[rows.Row], model: Predictor) -> Iterator[str]:
        answers = self._handler.answers([row.text for row in block], model)
        for row, said in zip(block, answers, strict=True):
            found = said if isinstance(said, dict) else records.record(said)
            yield _JSON.encode(records.beside(row.fields, found))


def _shards(job: Job, name: str, **options: Any) -> beam.PTransform:
    prefix = FileSystems.join(_whole(job.output), name)
    return beam.io.WriteToText(prefix, ".jsonl", max_bytes_per_shard=job.shard_bytes, **options)


def _whole(path: str) -> str:
    """A path with its folder, without which Beam matches none here."""
    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


def _counted(result: PipelineResult) -> dict[str, int]:
    found = result.metrics().query(MetricsFilter().with_namespace(_NAMESPACE))["counters"]
    return {counter.key.metric.name: counter.result for counter in found}
