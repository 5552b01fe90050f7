"""How good translations are: BLEU and chrF, by sacrebleu."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics import BLEU, CHRF

from zoo.predictions import Translation

# Words of a source, at most, in each class of lengths; the last one is open.
_LENGTHS = (5, 10, 15, 20, 30, 40, 60, 80)


def bleu(references: Sequence[str], translations: Sequence[str]) -> float:
    """BLEU of a corpus: cased, detokenized, sacrebleu's own tokens (13a), 0 to 100.

    Example:
        >>> round(bleu(["The cat is black."], ["The cat is black."]))
        100
    """
    return float(BLEU().corpus_score(list(translations), [list(references)]).score)


def metrics(
    sources: Sequence[str], references: Sequence[str], translations: Sequence[str]
) -> dict[str, Any]:
    """BLEU and chrF with the signatures that say how they were computed; how long translations are,
    in share of the references; and the share of those that are the reference.

    Each pair counts. Where a corpus has several translations of a source, BLEU is also computed of
    each source once, with all of them as its references."""
    found: dict[str, Any] = {}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        score = metric.corpus_score(list(translations), [list(references)])
        found[name] = float(score.score)
        found[f"{name}_signature"] = str(metric.get_signature())
        if name == "bleu":
            found["length_ratio"] = float(score.ratio)
    same = sum(one == other for one, other in zip(references, translations, strict=True))
    found["exact"] = same / max(1, len(references))
    known: dict[str, list[str]] = {}
    for source, reference in zip(sources, references, strict=True):
        known.setdefault(source, []).append(reference)
    if len(known) < len(references):
        translated = dict(zip(sources, translations, strict=True))
        streams = itertools.zip_longest(*known.values())  # None where a source has no more
        score = BLEU().corpus_score([translated[s] for s in known], list(map(list, streams)))
        found |= {"sources": len(known), "bleu_all_references": float(score.score)}
    return found


def bleu_by_length(predicted: Sequence[Translation], references: Sequence[str]) -> dict:
    """BLEU of the texts of about as many words: by the most words of each class."""
    classes: dict[int, list[tuple[str, str]]] = {}
    for one, reference in zip(predicted, references, strict=True):
        words = len(one.text.split())
        most = next((n for n in _LENGTHS if words <= n), _LENGTHS[-1])
        classes.setdefault(most, []).append((reference, one.translation))
    return {most: bleu(*zip(*pairs, strict=True)) for most, pairs in sorted(classes.items())}
