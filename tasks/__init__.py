"""Programs: `python -m tasks.NAME --flags`."""

import os

# Before TensorFlow is first imported: its start-up notes are no news to a user.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
