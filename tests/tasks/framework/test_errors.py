"""Errors of the operating system, with numbers and without, as one line that says what to do."""

import errno
import pathlib
from unittest import mock

import pytest

from tasks.data import folders, formats, word_vectors
from tasks.data.errors import UserError
from tasks.framework import checkpoints, text_io
from tasks.framework.configuration import RunConfig
from tasks.framework.modes import needed_model
from tasks.framework.task import load_model
from tasks.tagging import NamedEntities
from tasks.tagging.task import TaggerTrainer
from zoo import files
from zoo.saving import export

FULL = OSError(errno.ENOSPC, "No space left on device")
GONE = OSError("the server is gone")  # as file systems in user space raise it


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


def save(path):
    """`Trainer.save`, of which only the last step is to fail."""
    trainer = object.__new__(TaggerTrainer)
    trainer.module = lambda *_: mock.Mock(signature_names=())
    trainer.task, trainer.about = NamedEntities(), lambda *_: None
    trainer.save(None, path)


CASES = {
    "folders.entries": ((pathlib.Path, "iterdir"), lambda path: folders.entries(path)),
    "formats.read": ((pathlib.Path, "read_bytes"), formats.read),
    "read_vectors": ((word_vectors, "check_beginning"), lambda p: word_vectors.read_vectors(
        __file__, [], 1, 0)),
    "checkpoints.claim": ((files, "replace"), lambda path: checkpoints.claim(str(path), {}, {})),
    "write_output": ((files, "replace"), lambda path: text_io.write_output(str(path), [])),
    "check_writable": (
        (files.tempfile, "TemporaryDirectory"),
        lambda path: text_io.check_writable(str(path), "model_dir"),
    ),
    "Trainer.save": ((export, "save"), lambda path: save(str(path))),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("error", "said"), [(FULL, FULL.strerror), (GONE, str(GONE))])
def test_what_the_system_says_is_in_the_line(case, error, said, tmp_path, monkeypatch):
    (place, name), call = CASES[case]
    monkeypatch.setattr(place, name, failing(error))
    with pytest.raises(UserError) as found:
        call(tmp_path)
    message = str(found.value)
    assert "expected" in message
    assert said in message
    assert "None" not in message
    assert "\n" not in message


def test_a_model_that_is_needed_and_not_given():
    with pytest.raises(UserError, match=r"evaluate needs --model, .* Received: none; give its"):
        needed_model(NamedEntities(), RunConfig(mode="evaluate"))


def test_a_saved_model_that_is_checked_is_not_said_to_come_from_a_flag(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"^--model: .*: expected a SavedModel"):
        load_model(NamedEntities(), tmp_path)

    def only_the_check(module, signatures, folder, warmup, about, check):
        check(folder)

    monkeypatch.setattr(export, "save", only_the_check)
    trainer = object.__new__(TaggerTrainer)
    trainer.module = lambda *_: mock.Mock(signature_names=())
    trainer.task, trainer.about = NamedEntities(), lambda *_: None
    with pytest.raises(UserError) as found:
        trainer.save(None, str(tmp_path), check=lambda model: None)
    assert str(found.value).startswith(f"--export_dir={tmp_path}, as it was saved: ")
    assert "--model:" not in str(found.value)
