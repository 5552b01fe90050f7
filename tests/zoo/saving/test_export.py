"""Versions are whole or not there."""

import os
import time

import pytest
import tensorflow as tf

from zoo.saving import export


class Lengths(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serving_default(self, text):
        return {"bytes": tf.strings.length(text)}


def save(folder, **options):
    module = Lengths()
    return export.save(module, {"serving_default": module.serving_default}, str(folder), **options)


def test_what_is_saved_is_checked_before_it_becomes_a_version(tmp_path):
    found = []

    def check(folder):
        signature = tf.saved_model.load(folder).signatures["serving_default"]
        found.extend(signature(text=tf.constant(["four"]))["bytes"].numpy())
        assert not [name for name in os.listdir(tmp_path) if not name.startswith(".")]

    assert save(tmp_path, check=check) == str(tmp_path / "1")
    assert found == [4]
    assert os.listdir(tmp_path) == ["1"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_nothing_is_left_of_what_fails_its_check(tmp_path, error):
    def check(folder):
        assert os.path.exists(os.path.join(folder, "saved_model.pb"))
        raise error

    with pytest.raises(error):
        save(tmp_path, check=check)
    assert os.listdir(tmp_path) == []


def test_what_a_killed_export_left_is_removed_by_one_of_another_day(tmp_path):
    for name, hours in ((".tmp-old", 25), (".tmp-new", 1), ("other", 25)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
        then = time.time() - hours * 60 * 60
        os.utime(tmp_path / name, (then, then))
    save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".tmp-new", "1", "other"]
