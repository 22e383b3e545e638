"""The log of a run: cleaned for whoever reads it, bounded, followed."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gitlineage.run.output import TAIL, Log, cleaned, tail
from gitlineage.run.records import EVAL, TRAIN

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@given(st.binary(max_size=400))
def test_no_output_can_do_anything_to_who_shows_it(data):
    """Whatever bytes a command prints, no control character is left."""
    assert not UNSAFE.search(cleaned(data))


def test_escape_sequences_go_with_all_they_have():
    """A title, a colour and a progress bar leave what can be read."""
    text = b"\x1b[31mred\x1b[0m \x1b]0;title\x07ok\n 10%\r 50%\r100%\r\nnul\x00\n"
    assert cleaned(text) == "red ok\n100%\nnul"


def test_a_tail_is_short_and_begins_with_a_whole_line(tmp_path):
    """At most 4 KB as UTF-8, whatever the signs are."""
    path = tmp_path / "log"
    path.write_text("".join(f"line {n} ünï\n" for n in range(10_000)))
    text = tail(path)
    assert len(text.encode()) <= TAIL
    assert re.fullmatch(r"line \d+ ünï", text.splitlines()[0]) and text.endswith("line 9999 ünï")
    assert tail(path, lines=2) == "line 9998 ünï\nline 9999 ünï"
    assert tail(tmp_path / "none") == ""


def test_a_phase_is_heard_whole(tmp_path):
    """A line that comes in pieces counts once it is complete; the last one holds."""
    log = Log(tmp_path / "log", 0, 1000)
    assert log.phase(b"GITLINEAGE_PHASE ev") == ""
    assert log.phase(b"al\nrest") == EVAL
    assert log.phase(b"\nGITLINEAGE_PHASE=train\n") == TRAIN


def test_a_log_over_its_bound_keeps_its_beginning_and_its_end(tmp_path: Path):
    """What is gone is counted, and the place is marked."""
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"%06d\n" % n for n in range(10_000)))
    log = Log(path, 0, 10_000)
    assert log.news() and log.bound()
    kept = path.read_bytes()
    assert len(kept) < 10_000 and kept.startswith(b"000000\n") and kept.endswith(b"009999\n")
    assert b"%d bytes were cut here" % log.dropped in kept
    assert not log.bound()
