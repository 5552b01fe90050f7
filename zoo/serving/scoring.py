"""Files of texts through a model, as a pipeline of Apache Beam.

A file is read by one worker, row by row, and its rows pass through the model into a shard without
being gathered anywhere: memory does not grow with them. Shards have temporary names until all of
them are whole.
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
from apache_beam.ml.inference.base import KeyedModelHandler, PredictionResult, RunInference
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineResult

from zoo import records, rows
from zoo.serving.beam import Handler

_NAMESPACE = "zoo.score"
# Parquet has dates, decimals and bytes, of which JSON knows nothing.
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
_GOOD, _BAD = "texts", "bad rows"


@dataclass(frozen=True)
class Job:
    """What is scored.

    Attributes:
        handler: of the model.
        files: in whatever file systems Beam reads.
        output: what the names of the shards begin with.
        column: of the texts.
        shard_rows: most rows of a shard.
        max_characters: of a text; a longer one is a bad row.
    """

    handler: Handler
    files: Sequence[str]
    output: str
    column: str
    shard_rows: int
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


def check_output(prefix: str) -> None:
    """Raises ValueError where shards of this name are there already."""
    (match,) = FileSystems.match([f"{_whole(prefix)}-*-of-*.jsonl"], [1])
    if match.metadata_list:
        raise ValueError(
            f"--output: expected a name that no shards have. Received: {prefix!r}, of which there "
            f"is {match.metadata_list[0].path}. Remove it, or give another name"
        )


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
        | "Read" >> beam.ParDo(_Read(job.column, job.max_characters)).with_outputs(main=_GOOD)
    )
    lines = (
        read[_GOOD]
        | "Ask" >> RunInference(KeyedModelHandler(job.handler))
        | "AsLine" >> beam.MapTuple(_line)
    )
    _ = lines | "Write" >> _shards(job, job.output)
    reasons = read[_BAD] | "AsReason" >> beam.Map(_JSON.encode)
    _ = reasons | "WriteBad" >> _shards(job, f"{job.output}-bad", skip_if_empty=True)


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
    """From the path of a file to fields and text of each row, and bad rows beside them."""

    def __init__(self, column: str, max_characters: int):
        self._column, self._max_characters = column, max_characters

    def process(self, path: str) -> Iterator[Any]:
        good, bad = (Metrics.counter(_NAMESPACE, name) for name in (_GOOD, _BAD))
        # Beam's own unpacking takes a packed file that breaks off for a whole one.
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            for row in rows.read(file, path, self._column, self._max_characters):
                if isinstance(row, rows.BadRow):
                    bad.inc()
                    yield beam.pvalue.TaggedOutput(_BAD, dataclasses.asdict(row))
                else:
                    good.inc()
                    yield row.fields, row.text


def _line(fields: dict[str, Any], result: PredictionResult) -> str:
    said = result.inference
    return _JSON.encode(
        records.beside(fields, said if isinstance(said, dict) else records.record(said))
    )


def _shards(job: Job, prefix: str, **options: Any) -> beam.PTransform:
    return beam.io.WriteToText(
        _whole(prefix), ".jsonl", max_records_per_shard=job.shard_rows, **options
    )


def _whole(path: str) -> str:
    """A path with its folder, without which Beam matches none here."""
    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


def _counted(result: PipelineResult) -> dict[str, int]:
    found = result.metrics().query(MetricsFilter().with_namespace(_NAMESPACE))["counters"]
    return {counter.key.metric.name: counter.result for counter in found}
