"""What others may make large without end: trees, files, notes, input; each is refused in a line, and soon."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, environment

from gitlineage import InvalidContent, LineageStore, TooMuch, Trial, bounds
from gitlineage.git.formats import FILE, TREE, Entry
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


def test_few_short_lines_are_told_one_by_one() -> None:
    """Where they are few, each is named with what is wrong with it."""
    reasons = [each.reason for each in decode_note("alice", "ab" * 20, b"{}\nno\n")]
    assert len(reasons) == 2
    assert all(reason.startswith("not an event: ") for reason in reasons)
