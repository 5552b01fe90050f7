"""What must be set before TensorFlow is imported, and what every test starts from."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import keras
import pytest

hypothesis.settings.register_profile("layers", deadline=None, max_examples=15, derandomize=True)
hypothesis.settings.load_profile("layers")


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)
