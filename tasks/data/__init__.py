"""Corpora in numbers: reading, vocabularies, word vectors, batches."""
