"""Files that are whole or not there."""

import os
import stat
import threading

import pytest

from zoo import files, text
from zoo.catalog import markdown


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failing_writer_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    files.write_text(path, "old")

    def write(temporary):
        with open(temporary, "w") as file:
            file.write("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.replace(path, write)
    assert path.read_text() == "old"
    assert listed(tmp_path) == ["file.txt"]


def test_lines_end_at_line_feeds_alone(tmp_path):
    lines = ["a\r", "\u2028b\x85", "c"]
    files.write_text(tmp_path / "lines.txt", "".join(line + "\n" for line in lines))
    assert files.read_lines(tmp_path / "lines.txt") == lines
    assert text.Vocabulary(str(tmp_path / "lines.txt")).size == 4


def test_the_temporary_file_is_beside_it_and_has_its_ending(tmp_path):
    seen = []

    def write(temporary):
        seen.append(os.path.split(temporary))
        open(temporary, "w").close()

    files.replace(tmp_path / "weights.npz", write)
    ((folder, name),) = seen
    assert folder == os.path.realpath(tmp_path)
    assert name.startswith("weights.") and name.endswith(".tmp.npz")


def test_two_writers_do_not_meet(tmp_path):
    path, barrier, failed = tmp_path / "file.txt", threading.Barrier(2), []

    def write_all(letter):
        def write(temporary):
            with open(temporary, "w") as file:
                file.write(letter * 10)
                barrier.wait(10)
                file.write(letter * 10)

        try:
            files.replace(path, write)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write_all, args=letter) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert path.read_text() in ("a" * 20, "b" * 20)
    assert listed(tmp_path) == ["file.txt"]


def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "file.txt", tmp_path / "link.txt"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to(path)
    files.write_text(link, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_no_file_is_written_as_it_is(tmp_path):
    files.write_text(os.devnull, "text")
    assert not os.path.isfile(os.devnull)
    with pytest.raises(IsADirectoryError):
        files.write_text(tmp_path, "text")


def test_lists_of_words_and_tables_in_markdown_are_whole_too(tmp_path, monkeypatch):
    words, readme = tmp_path / "words.txt", tmp_path / "README.md"
    words.write_text("old\n")
    readme.write_text("<!-- table: begin -->\nold\n<!-- table: end -->\n")

    def fail(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="disk full"):
            text.write_lines(str(words), ["new"])
        with pytest.raises(OSError, match="disk full"):
            markdown.replace_in_file(str(readme), "table", "new\n")
    assert (words.read_text(), "old" in readme.read_text()) == ("old\n", True)
    assert listed(tmp_path) == ["README.md", "words.txt"]
    text.write_lines(str(words), ["new"])
    markdown.replace_in_file(str(readme), "table", "new\n")
    assert words.read_text() == "new\n"
    assert readme.read_text() == "<!-- table: begin -->\nnew\n<!-- table: end -->\n"
