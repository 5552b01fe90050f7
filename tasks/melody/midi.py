"""MIDI files on a grid: the notes of each step."""

from __future__ import annotations

import mido

from tasks.data.errors import DataError, why
from tasks.melody.configuration import MOST_FRAMES, STEPS
from tasks.melody.pieces import Piece
from zoo import files
from zoo.notes import is_key

ENDINGS = (".mid", ".midi")
# General MIDI has its drums on this channel, counted from 0: their numbers are no pitches.
_DRUMS = 9
_TICKS, _VELOCITY = 480, 72
# A word of 15 bits counts ticks; with the 16th, it counts parts of a second.
_MOST_TICKS = 2**15


def read(path: str, step: str = "eighth") -> Piece:
    """The frames of a MIDI file.

    Beginnings and ends of notes go to the nearest step, and each note has a step at least. Ticks
    count, and not tempo; drums are no notes, pedals are passed over, and so is what a piano has no
    key for. A key that is struck again at once is one long note: frames do not tell them apart.

    Args:
        path: of the file.
        step: how long a frame is, a key of `STEPS`.

    Returns:
        From the beginning of the file to the end of its last note.

    Raises:
        DataError: it is no MIDI file, or has no notes.
    """
    try:
        # What is beyond its range, mido takes for 127.
        file = mido.MidiFile(path, clip=True)
        notes = [note for track in file.tracks for note in _notes(track)]
    except Exception as error:  # mido raises many kinds, whatever is wrong with a file
        found = "its end too soon" if isinstance(error, EOFError) else why(error)
        raise DataError(f"{path}: expected a readable MIDI file, found: {found}") from None
    ticks = file.ticks_per_beat
    if file.type == 2 or not 0 < ticks < _MOST_TICKS:
        raise DataError(
            f"{path}: expected a MIDI file of format 0 or 1 that counts ticks of a quarter note, "
            f"found format {file.type} and a division of {ticks}"
        )
    long = ticks / STEPS[step]
    placed = [(_nearest(begin / long), _nearest(end / long), n) for begin, end, n in notes]
    spans = [(begin, max(end, begin + 1), n) for begin, end, n in placed if is_key(n)]
    if not spans:
        raise DataError(f"{path}: expected notes of a piano, found none")
    last = max(end for _, end, _ in spans)
    if last > MOST_FRAMES:
        raise DataError(f"{path}: expected at most {MOST_FRAMES:,} frames, found {last:,}")
    frames: list[set[int]] = [set() for _ in range(last)]
    for begin, end, note in spans:
        for frame in frames[begin:end]:
            frame.add(note)
    return [sorted(frame) for frame in frames]


def _nearest(steps: float) -> int:
    """The nearest step, of two the later one."""
    return int(steps + 0.5)


def _notes(track: mido.MidiTrack) -> list[tuple[int, int, int]]:
    """Beginning and end in ticks, and number, of each note of a track.

    A key that is struck while it sounds ends and begins: there are files that end it once for both.
    """
    now, found = 0, []
    # By channel and note, when it began; and when it was struck again while it sounded.
    sounding: dict[tuple[int, int], int] = {}
    again: dict[tuple[int, int], int] = {}
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _DRUMS:
            continue
        key = message.channel, message.note
        begin = sounding.get(key)
        if message.type == "note_on" and message.velocity:
            if begin is not None:
                found.append((begin, now, message.note))
                again[key] = now
            sounding[key] = now
        elif begin is not None and again.get(key) != now:  # else it is the one before that ends
            found.append((begin, now, message.note))
            del sounding[key]
    # What is never ended sounds to the end of its track.
    found += [(begin, now, note) for (_, note), begin in sounding.items()]
    return found


def write(path: str, piece: Piece, step: str = "eighth", tempo: float = 100.0) -> None:
    """Writes frames as a MIDI file, whole or not at all; what sounds on is one note.

    Silence at the end is there for a player, and `read` does not give it back.

    Args:
        path: of the file.
        piece: its frames.
        step: how long a frame is, a key of `STEPS`.
        tempo: quarter notes a minute.

    Raises:
        OSError: it cannot be written.
    """
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))])
    long, last = _TICKS // STEPS[step], 0
    before: set[int] = set()
    for number, frame in enumerate([*piece, []]):
        now = {*frame}
        changes = [("note_off", note) for note in sorted(before - now)]
        changes += [("note_on", note) for note in sorted(now - before)]
        for kind, note in changes:
            since = number * long - last
            track.append(mido.Message(kind, note=note, velocity=_VELOCITY, time=since))
            last = number * long
        before = now
    track.append(mido.MetaMessage("end_of_track", time=len(piece) * long - last))
    file = mido.MidiFile(ticks_per_beat=_TICKS, tracks=[track])
    files.replace(path, lambda temporary: file.save(temporary))
