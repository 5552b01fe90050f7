"""Pieces out of MIDI and JSON, on the grid, and what is wrong with bad ones."""

import json
import wave

import mido
import numpy as np
import pytest

from tasks.data.errors import DataError
from tasks.melody import demo, midi, reading, sound

PIECE = [[60, 64], [60], [], [60, 67], [60, 67]]


def midi_file(path, *messages, ticks=480, kind=1):
    """A file of (type, note, time since the one before, further arguments)."""
    track = mido.MidiTrack()
    for name, note, time, *more in messages:
        track.append(mido.Message(name, note=note, time=time, **dict(more)))
    mido.MidiFile(type=kind, ticks_per_beat=ticks, tracks=[track]).save(path)
    return str(path)


@pytest.mark.parametrize("step", ["quarter", "eighth", "sixteenth"])
def test_what_is_written_is_read_again(tmp_path, step):
    path = str(tmp_path / "a.mid")
    midi.write(path, PIECE, step, 90)
    assert midi.read(path, step) == PIECE
    assert mido.MidiFile(path).length == pytest.approx(
        5 * 60 / 90 / {"quarter": 1, "eighth": 2, "sixteenth": 4}[step], rel=1e-3
    )
    assert not list(tmp_path.glob("*.tmp*"))


def test_notes_go_to_the_nearest_step_and_have_one_at_least(tmp_path):
    path = midi_file(
        tmp_path / "a.mid",
        ("note_on", 60, 20), ("note_on", 72, 0), ("note_off", 72, 10),  # late, and very short
        ("note_off", 60, 440),  # 470: near the second eighth's end
        ("note_on", 64, 360, ("velocity", 0)),  # never begun
        ("note_on", 62, 0), ("note_on", 62, 240, ("velocity", 0)),  # 830 to 1070
    )  # fmt: skip
    assert midi.read(path, "eighth") == [[60, 72], [60], [], [62]]
    assert midi.read(path, "quarter") == [[60, 72], [], [62]]


@pytest.mark.parametrize(
    "ends",
    [
        [("note_off", 60, 240)],  # one end for both
        [("note_off", 60, 0), ("note_off", 60, 240)],  # the first ends where the second begins
        [("note_off", 60, 240), ("note_off", 60, 240)],
    ],
)
def test_a_note_that_is_struck_again_leaves_no_drone(tmp_path, ends):
    path = midi_file(
        tmp_path / "a.mid",
        ("note_on", 60, 0), ("note_on", 60, 240), *ends,
        ("note_on", 70, 480), ("note_off", 70, 240),
    )  # fmt: skip
    piece = midi.read(path)
    assert piece[:2] == [[60], [60]] and [60] not in piece[2:]
    assert piece[-1] == [70]


def test_tracks_are_read_side_by_side_and_ticks_count(tmp_path):
    tracks = [mido.MidiTrack() for _ in range(3)]
    tracks[0].append(mido.MetaMessage("set_tempo", tempo=300_000, time=240))
    tracks[0].append(mido.MetaMessage("set_tempo", tempo=900_000, time=240))
    for track, note in ((tracks[1], 60), (tracks[2], 64)):
        track.append(mido.Message("note_on", note=note, velocity=70, time=240))
        track.append(mido.Message("note_off", note=note, time=240))
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=tracks).save(tmp_path / "a.mid")
    assert midi.read(str(tmp_path / "a.mid")) == [[], [60, 64]]


def test_drums_and_what_no_piano_has_are_passed_over(tmp_path):
    path = midi_file(
        tmp_path / "a.mid",
        ("note_on", 40, 0, ("channel", 9)), ("note_on", 10, 0), ("note_on", 120, 0),
        ("note_on", 60, 0), ("note_off", 60, 240), ("note_off", 10, 0), ("note_off", 120, 0),
    )  # fmt: skip
    assert midi.read(path) == [[60]]


def test_a_note_that_does_not_end_sounds_to_the_end_of_its_track(tmp_path):
    path = midi_file(tmp_path / "a.mid", ("note_on", 60, 0), ("note_off", 61, 480))
    assert midi.read(path) == [[60], [60]]


CUT = b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\xff\0\x90"
# A key signature that there is not.
ODD = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\12\0\xff\x59\2\x0b\5\0\xff\x2f\0"
# A division in parts of a second.
SECONDS = b"MThd\0\0\0\6\0\0\0\1\xe7\x28MTrk\0\0\0\4\0\xff\x2f\0"


@pytest.mark.parametrize("content", [b"", b"MThd\0\0", b"RIFF....", CUT, ODD, SECONDS, None])
def test_what_is_no_midi_is_named(tmp_path, content):
    path = tmp_path / "bad.mid"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected a (readable )?MIDI file") as error:
        midi.read(str(path))
    assert str(path) in str(error.value)


def test_midi_without_notes_or_of_another_kind_is_an_error(tmp_path):
    with pytest.raises(DataError, match="expected notes of a piano, found none"):
        midi.read(midi_file(tmp_path / "a.mid", ("note_off", 60, 9)))
    notes = [("note_on", 60, 0), ("note_off", 60, 480)]
    with pytest.raises(DataError, match="found format 2"):
        midi.read(midi_file(tmp_path / "b.mid", *notes, kind=2))
    with pytest.raises(DataError, match="expected at most 100,000 frames"):
        late = ("note_off", 60, 2**27)
        midi.read(midi_file(tmp_path / "c.mid", notes[0], late))


def test_bad_files_of_a_folder_are_counted_and_named(tmp_path, capsys):
    (tmp_path / "deeper").mkdir()
    midi.write(str(tmp_path / "deeper" / "a.MID"), PIECE)
    midi.write(str(tmp_path / "b.midi"), [[70]])
    (tmp_path / "bad.mid").write_bytes(b"no")
    (tmp_path / "notes.txt").write_text("other files are no concern")
    assert reading.read_pieces(str(tmp_path)) == [[[70]], PIECE]
    said = capsys.readouterr().err
    assert f"{tmp_path}: 1 of 3 MIDI files cannot be read:" in said and "bad.mid" in said
    (tmp_path / "b.midi").unlink()
    (tmp_path / "deeper" / "a.MID").unlink()
    with pytest.raises(DataError, match="expected one or more MIDI files"):
        reading.read_pieces(str(tmp_path))


def write_json(path, value):
    path.write_text(json.dumps(value))
    return str(path)


def test_an_object_of_json_has_its_splits(tmp_path):
    path = write_json(tmp_path / "a.json", {"train": [PIECE] * 3, "valid": [[[64, 62, 62]]]})
    files = {"train": path, "validation": None, "test": None}
    found = reading.load_corpus("files", files, optional=["test"])
    assert found == {"train": [PIECE] * 3, "validation": [[[62, 64]]]}
    assert reading.read_pieces(path) == [*[PIECE] * 3, [[62, 64]]]
    other = write_json(tmp_path / "b.json", [[[70]]])
    files = {"train": path, "validation": other}
    assert reading.load_corpus("files", files, optional=["test"])["validation"] == [[[70]]]
    found = reading.load_corpus(
        "files", {"train": write_json(tmp_path / "c.json", [PIECE] * 20)}, optional=["test"]
    )
    assert {split: len(pieces) for split, pieces in found.items()} == {"train": 18, "validation": 2}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[]], "piece 1: expected a list of one or more frames"),
        ([PIECE, [[60], [20]]], r"piece 2, frame 2: expected .* 21 to 108, found \[20\]"),
        ([[[109]]], "frame 1: expected a list of MIDI numbers"),
        ([[[60.5]]], "frame 1: expected a list of MIDI numbers"),
        ([[[True]]], "frame 1: expected a list of MIDI numbers"),
        ([["C4"]], "frame 1: expected a list of MIDI numbers"),
        ([], "expected one or more pieces, found none"),
        (7, "expected a list of pieces, found int"),
        ({"music": []}, "expected pieces as 'train', found"),
    ],
)
def test_json_that_holds_no_pieces_is_an_error(tmp_path, value, message):
    with pytest.raises(DataError, match=message):
        reading.read_pieces(write_json(tmp_path / "a.json", value))


def test_what_cannot_be_loaded_is_an_error(tmp_path):
    (tmp_path / "a.json").write_text("{")
    for path, message in (("a.json", "expected JSON"), ("b.json", "readable file")):
        with pytest.raises(DataError, match=message):
            reading.load_corpus("files", {"train": str(tmp_path / path)})
    with pytest.raises(DataError, match="expected demo or files, found 'tfds:maestro'"):
        reading.load_corpus("tfds:maestro")


def test_sound_is_as_long_as_the_piece_and_has_its_pitch(tmp_path):
    path = str(tmp_path / "a.wav")
    sound.write(path, [[69], [69], [], [81]], "quarter", 60)
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22_050)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(samples) == 4 * 22_050
    second = samples.reshape(4, -1).astype(float)
    assert np.abs(np.fft.rfft(second[0])).argmax() == 440
    assert np.abs(np.fft.rfft(second[3])).argmax() == 880
    assert not second[2].any() and 20_000 < np.abs(samples.astype(int)).max() < 32_767
    sound.write(path, [[], []])


def test_built_in_pieces_are_of_their_grammar_and_in_one_split_each():
    corpus = demo.corpus()
    assert {split: len(pieces) for split, pieces in corpus.items()} == demo.SIZES
    everything = [str(piece) for pieces in corpus.values() for piece in pieces]
    assert len(everything) == len({*everything})
    for piece in corpus["validation"]:
        assert len(piece) == 16 * demo.BAR
        assert piece[:32] == piece[32:64]  # A comes again
        assert all(
            frame == sorted({*frame}) and frame[0] >= 21 and frame[-1] <= 108 for frame in piece
        )
        for start in range(0, len(piece), demo.BAR):
            lower = {
                tuple(note for note in frame if note < 64) for frame in piece[start : start + 8]
            }
            assert len(lower) == 1  # a chord for each bar
