"""Heads on recurrent stacks, one model a file."""

from zoo.models.classifier import Classifier
from zoo.models.encoder_decoder import EncoderDecoder
from zoo.models.language_model import LanguageModel
from zoo.models.music import MusicModel
from zoo.models.parts import RecurrentModel
from zoo.models.tagger import Tagger
from zoo.models.word_predictor import WordPredictor
from zoo.models.words import WordDropout, WordEmbedding

__all__ = [
    "Classifier",
    "EncoderDecoder",
    "LanguageModel",
    "MusicModel",
    "RecurrentModel",
    "Tagger",
    "WordDropout",
    "WordEmbedding",
    "WordPredictor",
]
