"""
Hostile data of every kind: never a traceback, never a hang, never a lost good event.

In sum more than 5,000 malformed notes (80 times 15), trees (60 times 18, and 1,000 alone), trailers (60 times 20) and
tables (550); ``GITLINEAGE_SOAK`` scales that up and lets hypothesis look elsewhere each time.
"""

import json
import os
import re

import pytest
from command_line import Shell, campaign, on_terminal
from filled import row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore
from gitlineage.bridge.tsv import import_tsv
from gitlineage.errors import LineageError
from gitlineage.git.formats import FILE, LINK, PROGRAM, SUBMODULE, TREE, parse_tree
from gitlineage.model import tsv
from gitlineage.model.message import compose, read_trailers, trailer_lines

SCALE = int(os.environ.get("GITLINEAGE_SOAK", "1"))
"""How many times as much the marked tests do."""

bounded = settings(
    deadline=None,
    derandomize=SCALE == 1,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\x1b[31mred\x1b[0m", "\x07", "a\r\nb", "\u202eevil", "015", "exp_015", "*", "best", "x" * 3000]),
)
numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.sampled_from([0, 1, 2**40, 2**48, 2**53])
)
cells = st.dictionaries(
    st.sampled_from(["exp_id", "status", "core_metric", "parent_exp", "hypothesis", "notes", "timestamp", "odd\tname"]),
    st.one_of(texts, numbers, st.none(), st.sampled_from(["keep", "discard", "nan", "inf", "1e999", "-0"])),
    max_size=6,
)
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["trial", "snapshot", "cohort", "task", "table", "session", "rewrite", "nothing"]),
        "clock": numbers,
    },
    optional={
        "row": cells,
        "name": texts,
        "base": st.lists(texts, max_size=2),
        "metadata": st.dictionaries(texts, numbers, max_size=2),
        "task": st.fixed_dictionaries({}, optional={"score_field": texts, "label": texts, "epsilon": numbers}),
        "shape": st.dictionaries(texts, texts, max_size=2),
        "specialist": texts,
        "prompt": texts,
        "raw": texts,
        "saw": texts,
        "writer": texts,
        "at": texts,
        "seen": numbers,
    },
)


@st.composite
def _lines(draw: st.DrawFn) -> bytes:
    """A line that nearly is an event: well formed, cut, bent or no text at all."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return draw(st.binary(max_size=60))
    line = json.dumps(draw(events)).encode("utf-8", "surrogatepass")
    if kind == 1:
        return line[: draw(st.integers(0, len(line)))]
    if kind == 2:
        at = draw(st.integers(0, len(line)))
        return line[:at] + draw(st.binary(max_size=4)) + line[at:]
    return line


notes = st.lists(_lines(), max_size=3).map(b"\n".join)


def good(number: int) -> bytes:
    """Return an event that is in order."""
    return b'{"clock":5,"row":{"exp_id":"good%d","status":"keep","core_metric":"1"},"type":"trial"}' % number


class Hostile:
    """Writes what another writer might push."""

    def __init__(self, store: LineageStore) -> None:
        self.repo = store.ledger.repo

    def tree(self, *entries: tuple[int, bytes, str]) -> str:
        """Write a tree as it is given."""
        ordered = sorted(entries, key=lambda entry: entry[1] + (b"/" if entry[0] == TREE else b""))
        return self.repo.write_object(
            "tree", b"".join(b"%o %s\0" % (mode, name) + bytes.fromhex(oid) for mode, name, oid in ordered)
        )

    def notes(self, by_oid: dict[str, bytes]) -> str:
        """Write a flat notes tree."""
        return self.tree(*((FILE, oid.encode(), self.repo.write_blob(note)) for oid, note in by_oid.items()))

    def commit(self, tree: str, message: bytes = b"x\n", head: bytes = b"") -> str:
        """Write a commit as it is given."""
        who = b"M <m@x> 1 +0000"
        raw = b"tree %s\n%sauthor %s\ncommitter %s\n\n%s" % (tree.encode(), head, who, who, message)
        return self.repo.write_object("commit", raw)

    def point(self, oid: str, writer: str = "mallory") -> None:
        """Point a writer's ref somewhere."""
        self.repo.set_ref(f"refs/notes/lineage/{writer}", oid)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> LineageStore:
    """A store with two good trials, on which hostile writers come and go."""
    folder = tmp_path_factory.mktemp("fuzz") / "repo"
    with LineageStore(folder, writer="alice", identity=("Alice", "a@x")) as store:
        store.commit({"a": b"1"}, trial=row("000", "baseline", 2.0))
        store.commit({"a": b"2"}, ["000"], trial=row("001", "keep", 1.5))
        yield store


def looked_at(store: LineageStore, expected: set[str]) -> None:
    """Read all that there is to read; good events are all there."""
    trials = {trial.exp_id for trial in store.all_trials()}
    assert trials >= expected | {"000", "001"}, trials
    views = store.ledger.views()
    for view in views.all():
        store.snapshot(view.oid)
    store.leaderboard(5)
    store.leaves()
    store.cohorts()
    store.render_prompt("s")


@pytest.mark.soak
@settings(bounded, max_examples=80 * SCALE)
@given(st.lists(notes, min_size=15, max_size=15))
def test_malformed_notes(base, hostile_notes) -> None:
    """Fifteen malformed notes on as many objects, each beside a good line, and a writer who is in order."""
    hostile = Hostile(base)
    oids = [hostile.commit(hostile.tree(), b"s%d\n" % number) for number in range(15)]
    planted = {oid: note + b"\n" + good(at) for at, (oid, note) in enumerate(zip(oids, hostile_notes, strict=True))}
    hostile.point(hostile.commit(hostile.notes(planted)))
    hostile.point(hostile.commit(hostile.notes({oids[0]: good(100)})), "zoe")
    looked_at(base, {"good100", *(f"good{number}" for number in range(15))})


@pytest.mark.soak
@settings(bounded, max_examples=60 * SCALE)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([FILE, TREE, TREE, LINK, PROGRAM, SUBMODULE, 0, 0o777777]),
            st.one_of(
                st.binary(max_size=6).map(lambda name: name.replace(b"\0", b"").replace(b"/", b"")),
                st.sampled_from([b"ab", b"cd", b"00", b"ffff", b"f" * 40, b"a" * 38, b"README", b"..", b""]),
            ),
            st.integers(0, 9),
        ),
        min_size=18,
        max_size=20,
    ),
    st.one_of(st.none(), st.tuples(st.integers(0, 400), st.binary(max_size=5))),
)
def test_malformed_notes_trees(base, entries, bend) -> None:
    """Trees that point at each other, at blobs, at nothing, with odd names and modes, and bent bytes."""
    hostile = Hostile(base)
    snapshot = hostile.commit(hostile.tree(), b"s\n")
    blob = hostile.repo.write_blob(good(1))
    known = [blob, snapshot, "12" * 20, hostile.tree()]
    for mode, name, at in entries:
        known.append(hostile.tree((mode, name, known[at % len(known)]), (FILE, b"0" * 40, known[-1])))
    tree = hostile.tree((FILE, snapshot.encode(), blob), (TREE, b"ab", known[-1]), (TREE, b"cd", known[-2]))
    if bend is not None:
        raw = bytearray(hostile.repo.read(known[-1]))
        raw[bend[0] % (len(raw) + 1) : 0] = bend[1]
        bent = hostile.repo.write_object("tree", bytes(raw))
        tree = hostile.tree((FILE, snapshot.encode(), blob), (TREE, b"ab", bent))
    hostile.point(hostile.commit(tree))
    hostile.point(hostile.commit(hostile.notes({snapshot: good(100)})), "zoe")
    looked_at(base, {"good1", "good100"})


messages = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"", b"\n", b"Exp-Id: ", b"Cohort: \x1b[2J", b"Clock: 99999999999999999999", b"Clock: \xd9\xa1"]
        ),
        st.builds(
            lambda key, value: key + b": " + value,
            st.sampled_from([b"Exp-Id", b"Cohort", b"Specialist", b"Lineage-Parent", b"Clock", b"Snapshot-Id"]),
            st.one_of(st.binary(max_size=30), st.just(b"ab" * 20 + b" role=mate"), st.just(b"9" * 5000)),
        ),
    ),
    max_size=6,
).map(b"\n".join)
heads = st.sampled_from(
    [
        b"",
        b"parent " + b"12" * 20 + b"\n",
        b"parent x\n",
        b"parent \x1b[31m\n",
        b"tree \n",
        b"gpgsig x\n y\n",
        b"\xff\n",
    ]
)


@pytest.mark.soak
@settings(bounded, max_examples=60 * SCALE)
@given(st.lists(st.tuples(messages, heads), min_size=20, max_size=20))
def test_malformed_trailers(base, commits) -> None:
    """Twenty snapshots with malformed messages and heads, and a ref whose own commit is malformed."""
    hostile = Hostile(base)
    planted = {}
    for number, (message, head) in enumerate(commits):
        planted[hostile.commit(hostile.tree(), message, head)] = good(number)
        text = message.decode("utf-8", "replace")
        read_trailers(text)
        trailer_lines(compose(text, [("Exp-Id", text)]))
    hostile.point(hostile.commit(hostile.notes(planted), commits[0][0]))
    sound = hostile.commit(hostile.tree(), b"s\n")
    hostile.point(hostile.commit(hostile.notes({sound: good(100)})), "zoe")
    looked_at(base, {"good100"})


_tables = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.lists(st.one_of(texts, st.sampled_from(["keep", "000", "exp_000", "1.5", "", '"', "nan"])), max_size=8).map(
            "\t".join
        ),
        max_size=6,
    ).map(lambda lines: "\n".join(["exp_id\tstatus\tcore_metric\tparent_exp\thypothesis", *lines]).encode()),
)


@pytest.mark.soak
@settings(bounded, max_examples=500 * SCALE)
@given(_tables, st.booleans())
def test_malformed_tables_are_read_or_refused(table, repair) -> None:
    """A table is read or refused with our own error."""
    try:
        tsv.read(table, source="fuzz", repair=repair)
    except LineageError as error:
        assert str(error)


@pytest.mark.soak
@settings(bounded, max_examples=50 * SCALE)
@given(_tables, st.booleans())
def test_malformed_tables_lose_nothing(base, table, repair) -> None:
    """An import records all of a table or nothing, and what was there is still there."""
    before = {trial.exp_id for trial in base.all_trials()}
    try:
        outcome = import_tsv(base, table, source="fuzz", repair=repair)
    except LineageError:
        assert {trial.exp_id for trial in base.all_trials()} == before
    else:
        assert len({trial.exp_id for trial in base.all_trials()}) >= len(before)
        assert outcome.added >= 0
    looked_at(base, set())


@pytest.mark.soak
@settings(bounded, max_examples=1000 * SCALE)
@given(st.binary(max_size=120))
def test_malformed_trees_are_read_or_refused(raw) -> None:
    """Any bytes are a tree or a ``ValueError``, which the reader above turns into ours."""
    try:
        assert all(len(entry.oid) == 40 for entry in parse_tree(raw).values())
    except ValueError as error:
        assert str(error)


COMMANDS = (
    "log",
    "log --json",
    "best",
    "best --json",
    "leaderboard",
    "descendants --leaves",
    "cohort list",
    "prompt s",
    "search evil",
    "show {oid}",
    "show {oid} --json",
    "parents {oid}",
    "children {oid}",
    "ancestors {oid}",
    "descendants 000",
    "ancestors --common 000 {oid}",
    "show --same {oid}",
    "maintain verify",
    "maintain reindex",
    "export tsv -",
)

_EVIL = "evil \x1b[2J\x1b]0;owned\x07 \u202e \x9b31m \r over \x00"


def test_no_command_lets_control_characters_through(tmp_path) -> None:
    """Hostile cells, cohorts, messages, authors, refs and file names reach the terminal without their controls."""
    shell: Shell = campaign(tmp_path / "repo")
    with LineageStore(shell.folder, writer="alice") as store:
        hostile = Hostile(store)
        file = store.ledger.repo.write_blob(b"one\n\x1b[31mred\x07\n")
        name = "evil \x1b[2J \x9b".encode()
        tree = hostile.tree((FILE, name, file), (FILE, b"a.txt", file))
        parent = str(store.resolve("000"))
        said = _EVIL.replace("\0", "").replace("\r", "").encode()
        who = b"E\x1b[31mvil <m\x07@x> 1 +0000"
        raw = b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\n" % (tree.encode(), parent.encode(), who, who)
        message = said + b"\n\nExp-Id: ev\x1b[2Jil\nCohort: c\x1b[2J\nSpecialist: \x1b[2J\n"
        oid = store.ledger.repo.write_object("commit", raw + message)
        base_row = {"exp_id": "ev\x1b[2Jil", "status": "keep", "core_metric": "0.1"}
        texts = dict.fromkeys(("hypothesis", "notes", "specialist", "domain", "parent_exp"), _EVIL)
        lines = [
            {"type": "trial", "clock": 5000, "row": {**base_row, "loss": "0.1", **texts}},
            {"type": "cohort", "clock": 5001, "name": "c\x1b[2J", "base": [parent], "metadata": {_EVIL: _EVIL}},
            {"type": "session", "clock": 5002, "specialist": _EVIL, "prompt": _EVIL},
            {"type": "task", "clock": 5003, "task": {"score_field": "loss", "label": _EVIL}},
            {"type": _EVIL, "clock": 5004},
        ]
        note = b"\n".join(json.dumps(line, ensure_ascii=False).encode() for line in lines)
        escaped = b"\n".join(json.dumps(line).encode() for line in lines)
        genesis = store.ledger.journal.genesis("mallory")
        by_oid = {oid: note + b"\n" + escaped, genesis: note, "12" * 20: b"\x1b[2J"}
        planted = hostile.commit(hostile.notes(by_oid), said)
        hostile.point(planted)
        loose = store.ledger.repo.commondir / "refs" / "notes" / "lineage" / "ev\x1b[2Jil\x9b"
        loose.write_text(planted + "\n")
    with_writer = ["log --json", "maintain verify", "maintain reindex", "log"]
    for words in (*COMMANDS, *with_writer):
        result = shell.run(*words.format(oid=oid).split())
        assert result.exception is None or isinstance(result.exception, SystemExit), (words, result.exception)
        assert "Traceback" not in result.stderr
        for shown in (result.stdout, result.stderr):
            found = CONTROL.search(shown)
            assert found is None or words.startswith("export"), (words, shown[max(found.start() - 80, 0) :][:160])
    shown = on_terminal("diff", oid, folder=shell.folder, NO_COLOR="1")
    assert "red" in shown and not CONTROL.search(shown)
    for wrong in ("show", "diff", "children", "checkout"):
        result = shell.run(wrong, _EVIL.replace("\0", ""), *(["x"] if wrong == "checkout" else []))
        assert result.exit_code == 1
        assert not CONTROL.search(result.stdout + result.stderr)
    result = shell.run("checkout", oid, tmp_path / "out")
    assert (result.exit_code, CONTROL.search(result.stderr)) in ((0, None), (1, None))
