"""Asks a model about a column of texts in Spark, by `predict_batch_udf`.

spark-submit examples/spark_udf.py --model=ner_demo --input='texts/*.jsonl' --output=scored

`pip install pyspark pandas pyarrow` and Java 17 are needed, and this project where the workers run.
Each worker loads the model once. The answers are JSON, the same that `python -m zoo score` writes:
`from_json` makes columns of it where the model's task is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import SparkSession
from pyspark.sql.types import StringType


def predicting(model: str) -> Callable[[], Callable[[np.ndarray], np.ndarray]]:
    """What makes, on a worker, the function from texts to answers."""

    def make() -> Callable[[np.ndarray], np.ndarray]:
        import json

        import zoo
        from zoo.quiet import import_tensorflow

        import_tensorflow()
        from zoo.records import predict, record

        loaded = zoo.load(model)

        def answers(texts: np.ndarray) -> np.ndarray:
            said = map(record, predict(loaded, texts))
            return np.array([json.dumps(one, ensure_ascii=False) for one in said], object)

        return answers

    return make


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="sentiment_demo", help="folder, or name of a model")
    parser.add_argument("--input", required=True, help="JSON lines with a text in `text`")
    parser.add_argument("--output", required=True, help="folder of JSON lines, a column more")
    parser.add_argument("--batch_size", type=int, default=1024)
    given = parser.parse_args()

    spark = SparkSession.builder.appName("scoring").getOrCreate()
    ask = predict_batch_udf(
        predicting(given.model), return_type=StringType(), batch_size=given.batch_size
    )
    # A null is no text.
    rows = spark.read.json(given.input).filter("text is not null")
    rows.withColumn("answer", ask("text")).write.json(given.output)
    spark.stop()


if __name__ == "__main__":
    main()
