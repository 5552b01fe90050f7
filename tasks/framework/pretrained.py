"""The language model of a run, from which another may start. Needs its files, not TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from tasks.data.errors import UserError, why
from tasks.framework.configuration import PretrainedTraining, TrainingConfig
from zoo.catalog.sources import BEST
from zoo.configuration import WordPredictorConfig
from zoo.files import read_lines

# Below the folder of a run: its language model.
PRETRAINING = "pretraining"
# Beside the weights of a language model from which a run starts: what it is made of.
MADE_OF = "language_model.json"
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


def language_model_of(training: TrainingConfig) -> Pretrained | None:
    """The language model of another run that a recipe starts from, or None.

    Raises:
        UserError: there is none.
    """
    if not isinstance(training, PretrainedTraining) or training.pretrain_from is None:
        return None
    run = Path(training.pretrain_from)
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
