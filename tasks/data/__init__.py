"""Files and corpora, read and checked; their batches, and word vectors."""
