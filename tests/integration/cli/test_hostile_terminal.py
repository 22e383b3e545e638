"""What others wrote adds no control character to what a command prints, whichever it is and however it ends."""

import json
import os
import subprocess
import unicodedata
from pathlib import Path

import pytest
from command_line import Shell, campaign, on_terminal

from gitlineage.cli import output
from gitlineage.cli.app import CALLED_BY_PROGRAMS, COMMANDS

EVIL = "e\x1b[2J\x1b]0;t\x07\x9b31m\x85\u2028\u202e\u2066\x00\x7f\r\n\t\U000e0041vil"
EVENTS = (
    {"type": "trial", "row": {"exp_id": "evil", "status": "keep", "core_metric": "1.0", "loss": "0.9", "E": "1"}},
    {"type": "retract", "exp_id": "evil", "reason": EVIL, "actor": EVIL},
    {"type": "retract", "exp_id": "evil", "undo": True, "reason": EVIL, "actor": EVIL},
    {"type": "relation_added", "relation": "inspired_by", "actor": EVIL, "context": {EVIL: EVIL}},
    {"type": "relation_added", "relation": "depends_on", "actor": EVIL, "context": {EVIL: [EVIL]}},
    {"type": "relation_deprecated", "relation": "depends_on", "actor": EVIL, "reason": EVIL},
    {"type": "entry", "fields": {"name": EVIL, "description": EVIL, "entity_type": EVIL}, "actor": EVIL},
    {"type": "usage", "total": 3, "last_used": EVIL},
    {"type": "rewrite", "old": EVIL, "how": EVIL},
    {"type": "imported", "name": EVIL, "source": EVIL, "file": EVIL},
    {"type": EVIL},
)
READING = {
    "log": [(), ("--graph",), ("--all",)],
    "show": [("evil",), ("000",), (EVIL,), ("evil", "--same")],
    "search": [("e*",), (EVIL,)],
    "graph": [("--all",), ("evil",), ("--all", "--inferred"), (EVIL,)],
    "diff": [("evil", "--stat"), (EVIL,)],
    "best": [(), ("--at", EVIL)],
    "leaderboard": [()],
    "parents": [("evil",), (EVIL,)],
    "children": [("000",), (EVIL,)],
    "ancestors": [("evil",), ("evil", "001", "--common"), (EVIL, "001", "--common")],
    "descendants": [("000",), ("--leaves",), ("000", "evil", "--path"), (EVIL, "evil", "--path")],
    "relation list": [(), ("evil",), (EVIL,)],
    "relation history": [("evil",)],
    "catalog impact": [("evil",), ("evil", "--replacements")],
    "blame": [("evil",)],
    "events": [(), ("evil",), (EVIL,), ("--writer", EVIL), ("--type", EVIL)],
    "relation infer": [(), ("evil",)],
    "prompt": [("bold",), (EVIL, "--workdir", EVIL, "--timestamp", EVIL, "--tree-path", EVIL)],
    "export board": [("board",), ("bad\x1b[2J",)],
    "status": [(), ("--campaigns",), ("https://localhost/\x1b[2J",)],
    "checkout": [(EVIL, "there")],
    "restore": [(EVIL,)],
    "cohort list": [()],
    "cohort show": [("evil\x1b[2J",)],
    "catalog list": [()],
    "catalog show": [("evil",)],
    "catalog attempts": [("evil\x1b[2J",)],
    "catalog similar": [("evil\x1b[2J",)],
    "record": [(EVIL, "--metric", "1"), ("evil", "--reassert"), (EVIL, "--reassert")],
    "retract": [("evil", "--reason", EVIL), (EVIL,)],
    "reparent": [("evil", "--parents", EVIL)],
    "relation add": [("evil", EVIL, "001"), ("evil", EVIL)],
    "relation end": [("evil", "depends_on", EVIL)],
    "relation evolve": [("000", EVIL)],
    "commit": [("--parents", EVIL), ("-m", EVIL, "--metric", "1", "--specialist", EVIL), ("--exp-id", EVIL)],
    "push": [("x\x1b[2J",)],
    "pull": [("x\x1b[2J",)],
    "sync": [("x\x1b[2J",)],
    "clone": [("x\x1b[2J", "y\x1b[2J")],
    "export bundle": [("b\x1b[2J",)],
    "import bundle": [("b\x1b[2J",), ("no\x1b[2J",)],
    "maintain consolidate": [("evil\x1b[2J",)],
    "import tsv": [("no\x1b[2J",)],
    "export tsv": [("t\x1b[2J",)],
    "import openrange": [("no\x1b[2J",)],
    "export openrange": [("o\x1b[2J", "--generation", EVIL)],
    "hooks": [(EVIL,)],
    "hook": [(EVIL,)],
    "maintain reindex": [()],
    "maintain verify": [()],
    "maintain": [(EVIL,)],
    "bisect": [("--good", EVIL, "--bad", "evil", "--", "true")],
    "init": [("--metric", EVIL), ("--writer", EVIL)],
    "demo": [(EVIL, EVIL)],
    "accept": [(EVIL,), ("evil", "--branch", EVIL)],
    "artifact list": [(), ("evil",), (EVIL,)],
    "artifact get": [(EVIL,)],
    "agents install": [("--agent", "evil\x1b[2J")],
    "mcp": [("--http", "evil\x1b[2J")],
    "compare": [("evil", "001"), (EVIL, "001")],
    "plot": [()],
    "run": [("-m", EVIL, "--", "nosuch\x1b[2J"), ("--parents", EVIL, "--", "true")],
    "runs list": [()],
    "runs show": [("evil\x1b[2J",)],
    "stats": [(), ("--by", "specialist"), ("--by", "evil\x1b[2J")],
    "report": [("r\x1b[2J.html",), ("--max-size", "evil\x1b[2J")],
    "serve": [("--port", "evil\x1b[2J")],
    "publish": [("--branch", "evil\x1b[2J"), ("--remote", "evil\x1b[2J")],
    "help": [("evil\x1b[2J",), ("log",)],
    "tried": [("-m", EVIL), ("evil\x1b[2J",)],
}
"""Calls of every command, good ones and bad ones."""


def signs(text: str) -> set[str]:
    """Return the signs of a text that a terminal takes for more than text."""
    marks = [chr(number) for number in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xE0000, 0xE0080))]
    return {sign for sign in text if unicodedata.category(sign) in ("Cc", "Zl", "Zp") or sign in marks} - {"\n"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, blind_git: Path) -> Shell:
    """A campaign into which another writer wrote events with control characters in every text."""
    shell = campaign(tmp_path_factory.mktemp("hostile") / "campaign")
    other = shell.objects("show", "001")[0]["oid"]
    on = shell.commit("--parents", "000", "-m", EVIL, "--metric", "1", "--cohort", "ideas")["oid"]
    texts = dict.fromkeys(("specialist", "hypothesis", "notes", "job_name", "delta_vs_best", "snapshot_path"), EVIL)
    lines = []
    for clock, event in enumerate(EVENTS, 90):
        said = {**event, "clock": clock, "at": EVIL, "target": other, "document": on}
        if event["type"] == "trial":
            said["row"] = {**event["row"], **texts, "parent_exp": EVIL}  # type: ignore[dict-item]
        lines.append(json.dumps(said))
    lines.append(EVIL.replace("\n", " "))
    note = shell.folder / "note"
    note.write_text("\n".join(lines) + "\n")
    git = ["git", "-c", "user.name=bob", "-c", "user.email=b@example.org", "notes", "--ref=lineage/bob"]
    subprocess.run([*git, "add", "-F", note, on], cwd=shell.folder, check=True)
    note.unlink()
    return shell


def test_every_command_is_called(hostile: Shell) -> None:
    """No command of the program is missing above."""
    named = {words.split()[0] for words in READING}
    assert named == {name for panel in COMMANDS.values() for name in panel} | {*CALLED_BY_PROGRAMS}


@pytest.mark.parametrize("command", READING)
def test_no_control_character_is_printed(hostile: Shell, command: str) -> None:
    """Neither the text nor the object nor the error of a call holds one."""
    for words in READING[command]:
        for also in ((), ("--json",)):
            done = hostile.run(*command.split(), *also, *words)
            assert not signs(done.stdout), (command, words, also, done.stdout)
            assert not signs(done.stderr), (command, words, also, done.stderr)
            assert "Traceback" not in done.stderr and "internal" not in done.stderr, (words, also, done.stderr)


def test_the_hostile_texts_are_shown_all_the_same(hostile: Shell) -> None:
    """What is printed says the words that stand between them."""
    shown = hostile("show", "evil")
    assert shown.count("vil") > 10
    assert "e[2J]0;t31m" in shown


@pytest.mark.skipif(os.name != "posix", reason="there is no terminal")
@pytest.mark.parametrize("words", [("show", "evil"), ("log",), ("events",), ("export", "tsv", "-")])
def test_a_terminal_gets_colours_only(hostile: Shell, words: tuple[str, ...]) -> None:
    """On a terminal there are the program's own colours, and nothing else of that kind."""
    shown = on_terminal(*words, folder=hostile.folder, columns=200)
    assert "vil" in shown
    assert signs(output._PAINT.sub("", shown)) <= {"\t"}
    assert not signs(on_terminal(*words, folder=hostile.folder, columns=200, NO_COLOR="1")) - {"\t"}


def test_what_nobody_cleaned_is_cleaned(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """A line that a command forgot to clean comes out without its control characters."""
    output.say(f"a\t{EVIL}\nb")
    assert not signs(capsysbinary.readouterr().out.decode()) - {"\t"}


def test_json_keeps_every_sign(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """An object says in escapes what a terminal must not see, and reads back as it was."""
    output.json_line({"text": EVIL})
    line = capsysbinary.readouterr().out.decode()
    assert not signs(line)
    assert json.loads(line) == {"text": EVIL}
