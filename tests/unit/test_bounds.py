"""What others may make large without end: trees, files, notes, input; each is refused in a line, and soon."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, environment

from gitlineage import Invalid, InvalidContent, LineageStore, TooMuch, Trial, bounds
from gitlineage.bridge.hooks.server import Rules, Update
from gitlineage.git.formats import FILE, NO_OID, TREE, Entry
from gitlineage.journal import events
from gitlineage.journal.journal import decode_note

Git = Callable[..., str]


@pytest.fixture
def shell(store: LineageStore, folder: Path) -> Shell:
    """Return a shell on a store with a baseline, and a snapshot 001 whose tree stands for 10^13 files."""
    first = store.commit({"a.txt": b"one"}, trial=Trial(status="baseline", core_metric=1.0))
    tree = store.ledger.repo.write_tree(
        {f"{number}": Entry(FILE, store.ledger.repo.write_blob(b"x")) for number in range(10)}
    )
    for _ in range(12):
        tree = store.ledger.repo.write_tree({f"{number}": Entry(TREE, tree) for number in range(10)})
    who, now = store.ledger.committer(), store.ledger.now()
    bomb = store.ledger.repo.write_commit(tree, [first.oid], "a bomb", who, now)
    store.ledger.repo.move_ref("refs/heads/bomb", bomb, None)
    store.record("bomb", Trial(status="keep", core_metric=0.5))
    return Shell(folder)


@pytest.mark.parametrize(
    "words",
    [
        ["show", "001"],
        ["diff", "001"],
        ["diff", "000", "001"],
        ["diff", "001", "--stat"],
        ["commit", "--from", "001", "-m", "again", "--parents", "000"],
        ["export", "openrange", "there"],
        ["checkout", "001", "there"],
    ],
    ids=" ".join,
)
def test_a_tree_that_stands_for_ten_million_million_files(shell: Shell, words: list[str]) -> None:
    """Whatever walks it ends at once, with a line that says how many are walked."""
    result = shell.run(*words)
    assert result.exit_code == 1, result.output
    assert "files and folders" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_the_same_tree_beside_itself(store: LineageStore) -> None:
    """What two bombs have in common is not counted; a difference of one file is shown."""
    tree = store.ledger.repo.write_tree(
        {f"{number}": Entry(FILE, store.ledger.repo.write_blob(b"x")) for number in range(10)}
    )
    for _ in range(12):
        tree = store.ledger.repo.write_tree({f"{number}": Entry(TREE, tree) for number in range(10)})
    entries = store.ledger.repo.read_tree(tree)
    more = store.ledger.repo.write_tree({**entries, "b": Entry(FILE, store.ledger.repo.write_blob(b"y"))})
    store.ledger.repo.check_extent(more, tree)
    with pytest.raises(TooMuch):
        store.ledger.repo.check_extent(more)


def test_folders_in_one_another(store: LineageStore) -> None:
    """A tree that is deeper than any recipe is refused, not followed until Python gives up."""
    tree = store.ledger.repo.write_tree({"a": Entry(FILE, store.ledger.repo.write_blob(b"x"))})
    for _ in range(bounds.MAX_NESTED + 2):
        tree = store.ledger.repo.write_tree({"a": Entry(TREE, tree)})
    with pytest.raises(TooMuch, match="folders in one another"):
        store.ledger.repo.check_extent(tree)


def test_files_that_are_too_much_for_memory(store: LineageStore, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their size is asked before they are read, for one and for all of a snapshot together."""
    made = store.commit({"a": b"x" * 600, "b": b"y" * 600}, trial=Trial(status="keep", core_metric=1.0))
    git("config", "lineage.maxCheckoutSize", "1000")
    with pytest.raises(TooMuch, match="1,000 bytes"):
        store.files(made.oid)
    with pytest.raises(InvalidContent):
        store.checkout(made.oid, store.root / "out")
    git("config", "lineage.maxCheckoutSize", "2000")
    assert store.files(made.oid) == {"a": b"x" * 600, "b": b"y" * 600}


def test_a_large_file_of_zeros_is_left_out_of_a_document(store: LineageStore, folder: Path) -> None:
    """One zero takes six signs in JSON; a file over the limit is left out and told."""
    store.commit({"zeros": bytes(bounds.MAX_TEXT + 1), "a": b"1"}, trial=Trial(status="keep", core_metric=0.4))
    result = Shell(folder).run("export", "openrange", "there")
    assert result.exit_code == 0, result.output
    assert "left out 1 file" in result.stderr
    (made,) = (folder / "there").iterdir()
    assert made.stat().st_size < 10_000


def test_input_that_does_not_end(tmp_path: Path) -> None:
    """A device without an end is read up to the limit, and no further."""
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); "
        "from gitlineage import bounds; bounds.MAX_INPUT = 1_000_000; "
        "from gitlineage.cli.app import main; sys.argv = ['gitlineage', *sys.argv[1:]]; main()"
    )
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for words in (["import", "tsv", "/dev/zero"], ["import", "autoresearch", "--results", "/dev/zero"]):
        command = [sys.executable, "-c", limited, *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        assert done.stderr.splitlines() == [
            f"error: {'zero' if words[1] == 'tsv' else '/dev/zero'} is over the limit of 1,000,000 bytes; "
            "it is not read further"
        ]


def test_a_note_of_tiny_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are too short for any event are counted, not decoded one after another."""
    decoded = []
    real = events.decode
    monkeypatch.setattr("gitlineage.journal.events.decode", lambda line: decoded.append(line) or real(line))
    event = b'{"clock":1,"type":"snapshot"}'
    found = list(decode_note("alice", "ab" * 20, b"{}\n" * 100_000 + event + b"\n" + b"\n" * 9))
    assert decoded == [event]
    assert [getattr(each, "reason", "an event") for each in found] == [
        "100,000 lines are too short to be events",
        "an event",
    ]


def test_a_note_of_tiny_events(store: LineageStore, git: Git, tmp_path: Path) -> None:
    """Of 400,000 valid events on one object so many count as are read within seconds; the rest is told."""
    row = store.commit({"a": b"1"}, trial=Trial(status="keep", core_metric=1.0))
    blob = git(
        "hash-object",
        "-w",
        "--stdin",
        data="".join(f'{{"clock":{at + 2},"type":"snapshot"}}\n' for at in range(400_000)),
    )
    tree = git("mktree", data=f"100644 blob {blob}\t{row.oid}\n")
    store.ledger.journal.begin("mallory")
    tip = git("commit-tree", tree, "-p", "refs/notes/lineage/mallory", "-m", "x")
    git("update-ref", "refs/notes/lineage/mallory", tip)
    (told,) = [what for writer, _, what in store.history.problems() if writer == "mallory"]
    assert told == "350,000 lines of its note are over the limit of 50,000 events, so they do not count"
    assert len(store.events(row.oid)) == bounds.MAX_EVENTS + 1
    assert store.best().exp_id == row.exp_id


def test_what_would_be_over_the_limit_is_not_recorded(store: LineageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody records what nobody would read."""
    monkeypatch.setattr("gitlineage.journal.journal.MAX_EVENTS", 3)
    row = store.commit({"a": b"1"}, trial=Trial(status="keep", core_metric=1.0))
    for number in range(2):
        store.record(row, Trial(status="keep", core_metric=2.0 + number), revise=True)
    with pytest.raises(Invalid, match="4 events, over the limit of 3"):
        store.record(row, Trial(status="keep", core_metric=9.0), revise=True)
    assert len(store.events(row.oid)) == 3


def test_work_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopwatch ends it with a line that says how long it may take."""
    now = iter([0.0, 4.9, 5.1])
    monkeypatch.setattr("gitlineage.bounds.time.monotonic", lambda: next(now))
    watch = bounds.Stopwatch("checking this push", 5.0)
    watch.check()
    with pytest.raises(TooMuch, match="checking this push is over the limit of 5 seconds"):
        watch.check()


def test_a_push_that_takes_too_long_to_check(store: LineageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's hook ends with a line, and takes nothing of it."""
    store.commit({"a": b"1"}, trial=Trial(status="keep", core_metric=1.0))
    update = Update(NO_OID, store.ledger.journal.tips()["alice"], store.ledger.namespace.ref("alice"))
    assert list(Rules(store.ledger.repo, {}).breaches([update])) == []
    monkeypatch.setattr(bounds, "MAX_CHECKING", -1.0)
    with pytest.raises(TooMuch, match="checking this push"):
        list(Rules(store.ledger.repo, {}).breaches([update]))


BAD = [
    '{"clock":9,"name":"","type":"cohort"}',
    '{"base":["x"],"clock":9,"name":"c","type":"cohort"}',
    '{"clock":9,"prompt":"x","specialist":"a","type":"session"}',
    '{"clock":9,"prompt":"","seen":-1,"specialist":"a","type":"session"}',
    '{"clock":9,"prompt":"","specialist":"a","tips":{"a":"x"},"type":"session"}',
    '{"clock":9,"exp_id":"","type":"retract"}',
    '{"clock":9,"relation":"depends_on","target":"x","type":"relation_added"}',
    '{"clock":9,"relation":"loves","target":"%s","type":"relation_added"}' % ("a" * 40),
    '{"clock":9,"relation":"loves","target":"%s","type":"relation_deprecated"}' % ("a" * 40),
    '{"clock":9,"fields":{"no":1},"type":"entry"}',
    '{"clock":9,"last_used":"now","total":1,"type":"usage"}',
    '{"clock":9,"last_used":"2026-01-01T00:00:00Z","total":-1,"type":"usage"}',
    '{"clock":9,"intent":" ","type":"forge"}',
    '{"clock":9,"intent":"x","success":true,"type":"forge"}',
    '{"clock":9,"intent":"x","phases":[{"phase_name":"no"}],"type":"forge"}',
    '{"clock":9,"intent":"x","result":"x","type":"forge"}',
    '{"clock":9,"old":"x","type":"rewrite"}',
    '{"clock":9,"document":"x","name":"a","source":"s","type":"imported"}',
    '{"clock":9,"document":"%s","name":"","source":"s","type":"imported"}' % ("a" * 40),
    '{"clock":9,"parents":["x"],"type":"reparent"}',
    '{"clock":9,"row":{},"type":"trial"}',
    '{"clock":9,"task":{"score_field":""},"type":"task"}',
    '{"clock":9,"shape":{},"type":"table"}',
]


def test_every_type_of_event_is_validated_where_it_is_read() -> None:
    """What decodes well and is nothing that anybody could have recorded is a problem of its line, whatever its type."""
    good = '{"clock":1,"type":"snapshot"}'
    found = list(decode_note("alice", "ab" * 20, "\n".join([*BAD, good]).encode()))
    assert [type(each).__name__ for each in found] == ["Problem"] * len(BAD) + ["Recorded"]
    assert {line.rpartition('"type":"')[2][:-2] for line in BAD} == set(events.TYPES) - {"snapshot"}


def test_few_short_lines_are_told_one_by_one() -> None:
    """Where they are few, each is named with what is wrong with it."""
    reasons = [each.reason for each in decode_note("alice", "ab" * 20, b"{}\nno\n")]
    assert len(reasons) == 2
    assert all(reason.startswith("not an event: ") for reason in reasons)
