"""The language model of a run, from which another may start. Needs its files, not TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
from pathlib import Path

from tasks.data.errors import UserError, why
from tasks.framework import stages
from tasks.framework.configuration import PretrainedTraining, TrainingConfig
from tasks.framework.stages import PRETRAINING
from zoo import files
from zoo.catalog.sources import BEST
from zoo.configuration import WordPredictorConfig
from zoo.files import read_lines

# Beside the weights of a language model from which a run starts: what it is made of.
MADE_OF = "language_model.json"
_KEPT = os.path.join(PRETRAINING, BEST)
# What a model that starts from a language model has as that has it, where it has it at all.
SHAPE = ("cell", "units", "bidirectional", "embedding_dim", "character_dim")


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """The language model of a run, see `tasks.framework.pretraining`, and the words that it knows.

    Attributes:
        run: folder of the run.
        config: what it is made of.
        words: in the order of their ids, `<UNK>` first.
    """

    run: Path
    config: WordPredictorConfig
    words: list[str]

    @property
    def weights(self) -> Path:
        """Those of its best epoch."""
        return self.run / PRETRAINING / BEST

    @functools.cached_property
    def digest(self) -> str:
        """Tells its weights, as they were when first asked, from others."""
        return hashlib.sha256(self.weights.read_bytes()).hexdigest()

    def kept_in(self, folder: str | os.PathLike) -> Pretrained:
        """A copy in the folder of a run that starts from it, and goes on with that.

        Raises:
            UserError: it has been trained on since its digest was asked for.
        """
        copy = dataclasses.replace(self, run=Path(folder))
        if copy.run == self.run:
            return self
        content = self.weights.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise UserError(
                f"--pretrain_from: expected a language model that is not being trained. Received: "
                f"{str(self.run)!r}, which has had another epoch since this run began. Wait for "
                "its end"
            )
        copy.weights.parent.mkdir(exist_ok=True)
        files.write_json(copy.weights.with_name(MADE_OF), self.config.as_dict())
        files.replace(copy.weights, lambda path: Path(path).write_bytes(content))
        return copy


def language_model_of(training: TrainingConfig, model_dir: str | None = None) -> Pretrained | None:
    """The language model of another run that a recipe starts from, or None.

    Args:
        training: the recipe.
        model_dir: folder of the run that starts from it; one that has begun has a copy.

    Raises:
        UserError: there is none.
    """
    if not isinstance(training, PretrainedTraining) or training.pretrain_from is None:
        return None
    run = Path(training.pretrain_from)
    if model_dir and stages.has_begun(model_dir) and (Path(model_dir) / _KEPT).exists():
        run = Path(model_dir)
    path = run / PRETRAINING / MADE_OF
    try:
        if not (run / PRETRAINING / BEST).exists():
            raise UserError(
                "--pretrain_from: expected the --model_dir of a run with --pretrain whose language "
                f"model has had an epoch, with {PRETRAINING}/{BEST} in it. Received: {str(run)!r}"
            )
        config = WordPredictorConfig.from_dict(json.loads(path.read_text("utf-8")))
        words = read_lines(run / "vocabulary.txt")
        if config.vocabulary_size != 1 + len(words):  # padding is none of them
            raise ValueError(f"a model of {config.vocabulary_size - 1} words, and {len(words)}")
        return Pretrained(run, config, words)
    except OSError as error:
        raise UserError(
            f"--pretrain_from: {error.filename}: expected a readable file. Received: {why(error)}"
        ) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"--pretrain_from: {path}: expected what a run with --pretrain writes there. "
            f"Received: {error}"
        ) from None
