"""Rows imported while their commits were missing, and the commits that come later: made and brought by real git."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clones import answers, fsck, git
from colleagues import sign_all, trust
from command_line import Shell

from gitlineage import LineageStore, Trial
from gitlineage.bridge.autoresearch import import_autoresearch
from gitlineage.bridge.rows import LoopOutcome
from gitlineage.errors import Invalid
from gitlineage.git.repository import GitRepo
from gitlineage.journal import events
from gitlineage.model.stand_in import IS_LOST
from gitlineage.record import stand_ins

needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")

HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
SCORES = ("1.0", "0.9", "0.8", "0.95")


@contextmanager
def opened(root: Path) -> Iterator[LineageStore]:
    """Open the store of a clone, whose writer is called as its folder is."""
    with LineageStore(root, writer=root.name, identity=(root.name, f"{root.name}@example.org")) as store:
        yield store


def take(store: LineageStore) -> LoopOutcome:
    """Import the results that are in the store's folder."""
    data = (Path(store.root) / "results.tsv").read_bytes()
    return import_autoresearch(store, data, source="results.tsv", lower_is_better=True)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """Return a remote that everybody shares."""
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", "hub.git")
    return tmp_path / "hub.git"


@pytest.fixture
def loop(tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """Return a loop's repository with four commits in a line, of which only the first is on the remote; and these."""
    root = tmp_path / "loop"
    git(tmp_path, "clone", "--quiet", hub.as_uri(), str(root))
    git(root, "checkout", "--quiet", "-b", "main")
    rows, hashes = [], []
    for number, score in enumerate(SCORES):
        (root / "train.py").write_text(f"{number}\n")
        git(root, "add", "train.py")
        with monkeypatch.context() as same:  # so that the hashes are, and none is all digits
            for kind in ("AUTHOR", "COMMITTER"):
                same.setenv(f"GIT_{kind}_DATE", f"2026-01-01T00:0{number}:00Z")
            git(root, "-c", "user.name=L", "-c", "user.email=l@example.org", "commit", "-qm", f"idea {number}")
        hashes.append(git(root, "rev-parse", "HEAD"))
        rows.append(f"{hashes[-1][:7]}\t{score}\t44.0\tkeep\tidea {number}\n")
    (root / "results.tsv").write_text(HEADER + "".join(rows))
    git(root, "push", "--quiet", "origin", f"{hashes[0]}:refs/heads/main")
    return root, hashes


@pytest.fixture
def clone(hub: Path, loop: tuple[Path, list[str]], tmp_path: Path) -> Callable[[str], Path]:
    """Return what makes a clone, which lacks the commits that are not on the remote, with the loop's results."""

    def make(name: str) -> Path:
        root = tmp_path / name
        git(tmp_path, "clone", "--quiet", hub.as_uri(), str(root))
        (root / "results.tsv").write_bytes((loop[0] / "results.tsv").read_bytes())
        return root

    return make


def bring(root: Path, loop: Path) -> None:
    """Have the loop's commits arrive in a clone."""
    git(root, "fetch", "--quiet", str(loop), "main:refs/remotes/loop/main")


def shown(store: LineageStore) -> list[tuple[str, str, str]]:
    """Return label, commit and notes of all trials, the oldest first."""
    return [(view.label, view.oid, view.trial.notes) for view in reversed(store.log(None))]


def test_rows_move_to_their_commits(loop: tuple[Path, list[str]], clone: Callable[[str], Path]) -> None:
    """After a fetch the next import moves every row, once; nothing counts or shows twice, history keeps both."""
    origin, hashes = loop
    root = clone("alice")
    with opened(root) as store:
        assert take(store).lost == tuple(oid[:7] for oid in hashes[1:])
        stand_ins = {oid for _, oid, _ in shown(store)} - set(hashes)
        assert len(stand_ins) == 3
        found = store.search("idea")
        bring(root, origin)
        outcome = take(store)
        assert outcome.moved == outcome.trials == tuple(oid[:7] for oid in hashes[1:])
        assert (outcome.added, outcome.revised, outcome.known) == (0, 0, 1)
        assert shown(store) == [(oid[:7], oid, "") for oid in hashes]
        assert len(store.search("idea")) == len(store.search("idea", limit=4)) == len(found) == 4
        assert store.resolve("best") == hashes[2]
        assert len(store.leaderboard()) == 4
        assert [trial.exp_id for trial in store.chain_to(hashes[3])] == [oid[:7] for oid in hashes]
        assert [leaf.oid for leaf in store.leaves()] == [hashes[3]]
        assert [each.exp_id for each in store.children(hashes[0])] == [hashes[1][:7]]
        assert store.render_prompt("ann").rendered_prompt.count(f"exp_{hashes[2][:7]}") > 0
        assert {oid for oid in stand_ins if store.snapshot(oid).recorded} == stand_ins
        assert {each.oid for oid in hashes for each in store.rewritten_from(oid)} == stand_ins
        assert store.verify() == []
        refs = git(root, "for-each-ref", "--format=%(objectname)", "refs/lineage/exp").split()
        assert sorted(refs) == sorted(hashes)
        before = git(root, "for-each-ref")
        assert take(store).known == 4
        assert git(root, "for-each-ref") == before
    fsck(root)
    shell = Shell(root)
    assert "took the place of its stand-in" in shell("events", hashes[1])
    for stand_in in stand_ins:
        assert "recorded: keep" in shell("events", stand_in)
    shell("export", "tsv", "out.tsv")
    assert len((root / "out.tsv").read_text().splitlines()) == 5
    assert len(shell.objects("log")) == 4


def test_an_index_built_anew_says_the_same(loop: tuple[Path, list[str]], clone: Callable[[str], Path]) -> None:
    """A move, folded as it comes or all at once, gives one and the same store."""
    root = clone("alice")
    with opened(root) as store:
        take(store)
        bring(root, loop[0])
        take(store)
        before = answers(store, root / "one")
        store.reindex()
        assert answers(store, root / "two") == before
        assert store.verify() == []


def test_children_follow(loop: tuple[Path, list[str]], clone: Callable[[str], Path]) -> None:
    """What was derived from a stand-in, before the move or after it, is derived from the commit."""
    origin, hashes = loop
    root = clone("alice")
    with opened(root) as store:
        take(store)
        stand_in = store.resolve(hashes[2][:7])
        early = store.commit({"train.py": b"early\n"}, parents=[stand_in], trial=Trial(exp_id="early", status="keep"))
        bring(root, origin)
        take(store)
        late = store.commit({"train.py": b"late\n"}, parents=[stand_in], trial=Trial(exp_id="late", status="keep"))
        for child in (early, late):
            assert store.snapshot(child.oid).parents == (hashes[2],)
            assert [each.oid for each in store.parents(child.oid)] == [hashes[2]]
            assert [trial.exp_id for trial in store.chain_to(child.oid)][-2] == hashes[2][:7]
            assert [node.id for node in store.get_ancestors(child.oid)] == hashes[2::-1]
        assert {each.exp_id for each in store.children(hashes[2])} == {hashes[3][:7], "early", "late"}
        before = answers(store, root / "one")
        store.reindex()
        assert answers(store, root / "two") == before
        assert store.verify() == []


def test_clones_agree(loop: tuple[Path, list[str]], clone: Callable[[str], Path], tmp_path: Path) -> None:
    """Two that move the same rows at once, and one that never had a stand-in, come to the same answers."""
    origin, hashes = loop
    roots = [clone("alice"), clone("bob"), origin]
    with opened(roots[0]) as alice, opened(roots[1]) as bob, opened(roots[2]) as carol:
        stores = [alice, bob, carol]
        for store in (alice, bob):
            take(store)
            store.sync("origin")
        take(carol)
        for store in (alice, bob):
            bring(Path(store.root), origin)
            take(store)
        for _ in range(2):
            for store in stores:
                store.sync("origin")
        for store in stores:
            take(store)
        for _ in range(2):
            for store in stores:
                store.sync("origin")
        for store in stores:
            assert sorted(shown(store)) == sorted((oid[:7], oid, "") for oid in hashes)
            assert store.verify() == []
        first, *others = [answers(store, tmp_path / "boards" / store.writer) for store in stores]
        for other in others:
            assert other == first
        before = git(roots[0], "for-each-ref", "refs/notes")
        assert take(alice).known == 4
        assert git(roots[0], "for-each-ref", "refs/notes") == before


def test_a_clone_that_lacks_the_commit_gets_it(loop: tuple[Path, list[str]], clone: Callable[[str], Path]) -> None:
    """A move that comes by sync brings the commit along; the next import there has nothing to do."""
    origin, hashes = loop
    roots = [clone("alice"), clone("bob")]
    with opened(roots[0]) as alice, opened(roots[1]) as bob:
        take(alice)
        take(bob)
        bring(roots[0], origin)
        take(alice)
        alice.sync("origin")
        bob.sync("origin")
        assert sorted(shown(bob)) == sorted((oid[:7], oid, "") for oid in hashes)
        assert take(bob).known == 4
        assert bob.files(hashes[2]) == {"train.py": b"2\n"}


@pytest.mark.parametrize("is_signed", [False, pytest.param(True, marks=needs_keygen)], ids=["cooperative", "signed"])
def test_what_was_said_of_a_stand_ins_row_stays(
    loop: tuple[Path, list[str]], clone: Callable[[str], Path], tmp_path: Path, is_signed: bool
) -> None:
    """A retraction and cells of the user's own go along; a row that changed as well is moved in its new version."""
    origin, hashes = loop
    root = clone("alice")
    with opened(root) as store:
        if is_signed:
            git(root, "config", "lineage.writer", "alice")
            sign_all(tmp_path, ("alice",))(store)
            trust(root)
        take(store)
        store.retract(hashes[2][:7], "the wrong seed")
        bring(root, origin)
        text = (root / "results.tsv").read_text().replace("idea 1", "idea one")
        (root / "results.tsv").write_text(text)
        assert take(store).moved == tuple(oid[:7] for oid in hashes[1:])
        assert {view.label: view.retracted for view in store.log(None)}[hashes[2][:7]] == "the wrong seed"
        assert store.resolve("best") == hashes[1]
        assert store.trial(hashes[1][:7]).hypothesis == "idea one"
        assert take(store).known == 4
        assert store.verify() == []


def test_replicates_on_a_lost_commit_move_together(loop: tuple[Path, list[str]], clone: Callable[[str], Path]) -> None:
    """All rows on one stand-in go to its commit, with the ids that they have."""
    origin, hashes = loop
    root = clone("alice")
    with (root / "results.tsv").open("a") as file:
        file.write(f"{hashes[2][:7]}\t0.81\t44.0\tkeep\tagain\n")
    with opened(root) as store:
        take(store)
        bring(root, origin)
        assert len(take(store).moved) == 4
        assert [trial.exp_id for trial in store.snapshot(hashes[2]).trials] == [hashes[2][:7], f"{hashes[2][:7]}.2"]
        assert len(store.log(None)) == 5


def test_only_an_import_says_that_a_commit_arrived(loop: tuple[Path, list[str]]) -> None:
    """Nobody can take another commit's rows away by calling a rewrite so."""
    root, hashes = loop
    with opened(root) as store:
        take(store)
        with pytest.raises(Invalid):
            store.link_rewrite(hashes[0], hashes[1], events.ARRIVED)


def test_the_command_says_so(loop: tuple[Path, list[str]], clone: Callable[[str], Path]) -> None:
    """One line names the rows that moved; a second import has nothing to say."""
    root = clone("alice")
    shell = Shell(root)
    shell("import", "autoresearch", "--lower-is-better")
    bring(root, loop[0])
    told = shell("import", "autoresearch")
    assert f"moved to their commits, which are here now: {loop[1][1][:7]}, " in told
    assert "4 known already" in shell("import", "autoresearch")
    assert "moved" not in shell("import", "autoresearch")


def test_a_commit_that_its_reflog_had(loop: tuple[Path, list[str]], tmp_path: Path) -> None:
    """A commit that git had deleted and somebody brings back is found again by its hash."""
    root, hashes = loop
    git(tmp_path, "clone", "--quiet", "--bare", str(root), "copy.git")
    git(root, "reset", "--quiet", "--hard", hashes[0])
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "-q", "--prune=now")
    with opened(root) as store:
        assert len(take(store).lost) == 3
        git(root, "fetch", "--quiet", str(tmp_path / "copy.git"), hashes[3])
        assert len(take(store).moved) == 3
        assert shown(store) == [(oid[:7], oid, "") for oid in hashes]


def test_commits_beyond_the_end_of_a_shallow_clone(loop: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Who imports there all the same gets stand-ins, which give way after git has brought the rest."""
    origin, hashes = loop
    root = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", origin.as_uri(), str(root))
    (root / "results.tsv").write_bytes((origin / "results.tsv").read_bytes())
    git(root, "config", "lineage.incomplete", "true")
    shell = Shell(root)
    assert len(shell.objects("import", "autoresearch", "--lower-is-better")[0]["lost"]) == 3
    git(root, "fetch", "--quiet", "--unshallow", "origin")
    assert len(shell.objects("import", "autoresearch")[0]["moved"]) == 3
    with opened(root) as store:
        assert sorted(shown(store)) == sorted((oid[:7], oid, "") for oid in hashes)
        assert store.verify() == []


WAYS = {
    "commit": ["commit", "-m", "later", "--metric", "2"],
    "record": ["record", "HEAD", "--metric", "2", "--replicate"],
    "retract": ["retract", "HEAD", "-m", "a slip"],
    "cohort": ["cohort", "new", "ideas"],
    "init": ["init"],
    "pull": ["pull", "origin"],
    "sync": ["sync", "origin"],
    "refused": ["record", "HEAD", "--metric", "nan"],
}


@pytest.mark.parametrize("way", WAYS)
def test_any_command_that_records_moves_them(
    loop: tuple[Path, list[str]], clone: Callable[[str], Path], way: str
) -> None:
    """It says so in one line, and the rows are those that an import with all commits there has recorded."""
    origin, hashes = loop
    with opened(origin) as store:
        take(store)
        wanted = [(view.oid, view.trial) for view in store.log(None)]
    root = clone("alice")
    shell = Shell(root)
    shell("import", "autoresearch", "--lower-is-better")
    bring(root, origin)
    done = shell.run(*WAYS[way])
    assert done.exit_code == 0 or way == "refused", done.output
    named = ", ".join(oid[:7] for oid in hashes[1:])
    assert (f"3 trials moved to commits which have arrived: {named}" in done.stderr) == (way != "refused"), done.stderr
    with opened(root) as store:
        if way == "refused":
            store.set_task(store.task)
        found = [(view.oid, view.trial) for view in store.log(None)]
        assert [each for each in wanted if each not in found] == []
        assert store.verify() == []
    again = shell.run("commit", "-m", "once more", "--metric", "3")
    assert "arrived" not in again.stderr and "stand-in" not in again.stderr


def test_a_command_that_reads_says_it_and_writes_nothing(
    loop: tuple[Path, list[str]], clone: Callable[[str], Path]
) -> None:
    """One line names the command that moves them; a reader's clone that never recorded is told, too, by a pull."""
    origin, hashes = loop
    root = clone("alice")
    shell = Shell(root)
    shell("import", "autoresearch", "--lower-is-better")
    assert "stand-in" not in shell.run("log").stderr
    shell("push", "origin")
    reader = clone("reader")
    Shell(reader)("pull", "origin")
    for each in (root, reader):
        bring(each, origin)
        before = git(each, "for-each-ref", "refs/notes", "refs/lineage"), git(each, "config", "--list")
        for words in (["log"], ["best", "--json"], ["show", hashes[0]], ["status"]):
            told = Shell(each).run(*words).stderr
            assert told.count("the commits of 3 trials on stand-ins are here now") == 1, told
            assert "`gitlineage init`" in told
        assert before == (git(each, "for-each-ref", "refs/notes", "refs/lineage"), git(each, "config", "--list"))
    assert "are here now" in Shell(reader).run("pull", "origin").stderr
    shell("init")
    assert "stand-in" not in shell.run("log").stderr
    shell("push", "origin")
    assert "stand-in" not in Shell(reader).run("pull", "origin").stderr


def test_few_are_looked_at_and_others_each_time(
    loop: tuple[Path, list[str]], clone: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many stand-ins there are, a command looks at some; in the end each one's turn comes."""
    origin, hashes = loop
    root = clone("alice")
    monkeypatch.setattr(stand_ins, "LOOKED_AT", 1)
    with opened(root) as store:
        take(store)
        asked: list[str] = []
        look = GitRepo.commit_beginning
        monkeypatch.setattr(GitRepo, "commit_beginning", lambda repo, hash: asked.append(hash) or look(repo, hash))
        git(root, "fetch", "--quiet", str(origin), f"{hashes[1]}:refs/remotes/loop/main")
        for number in range(8):
            store.commit({"a": b"%d" % number}, trial=Trial(status="discard", core_metric=2))
        assert [trial.exp_id for trial in store.snapshot(hashes[1]).trials] == [hashes[1][:7]]
        assert set(asked) == {oid[:7] for oid in hashes[1:]}
        assert len(asked) <= 8 + 3
        bring(root, origin)
        store.pull("origin")
        assert {view.oid for view in store.log(None)} >= set(hashes)


def test_a_store_without_stand_ins_asks_for_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked for is found by an index of such rows, and git is asked for nothing."""
    monkeypatch.setattr(GitRepo, "commit_beginning", None)
    with LineageStore(tmp_path) as store:
        store.commit({"a": b"1"}, trial=Trial(exp_id="abcdef1", status="keep", core_metric=2))
        store.commit({"a": b"2"}, trial=Trial(status="keep", core_metric=1))
        (plan,) = store.ledger.views().index.rows(f"EXPLAIN QUERY PLAN SELECT id FROM trials WHERE {IS_LOST}")
        assert "trials_lost" in plan[-1]


def test_rows_with_names_of_their_own(loop: tuple[Path, list[str]], clone: Callable[[str], Path]) -> None:
    """Where the exp id is not the hash, it is the row's cell that tells it; no name is taken for a hash."""
    origin, hashes = loop
    root = clone("alice")
    lines = (root / "results.tsv").read_text().splitlines()[1:]
    rows = [f"{line}\t{name}\n" for line, name in zip(lines, ("first", "second", "00ab", "last"), strict=True)]
    rows[3] = hashes[3][:6] + rows[3][7:]
    (root / "results.tsv").write_text(HEADER.rstrip() + "\texp_id\n" + "".join(rows))
    with opened(root) as store:
        take(store)
        bring(root, origin)
        store.set_task(store.task)
        assert sorted(shown(store)) == sorted(
            (name, oid, "") for name, oid in zip(("first", "second", "00ab", "last"), hashes, strict=True)
        )
        assert take(store).known == 4
        assert store.verify() == []


def test_rows_of_a_table(loop: tuple[Path, list[str]], clone: Callable[[str], Path], tmp_path: Path) -> None:
    """What `import tsv` brought from elsewhere with such rows moves in the same way."""
    origin, hashes = loop
    root = clone("alice")
    shell = Shell(root)
    shell("import", "autoresearch", "--lower-is-better")
    shell("export", "tsv", tmp_path / "rows.tsv")
    other = clone("bob")
    Shell(other)("import", "tsv", tmp_path / "rows.tsv")
    bring(other, origin)
    Shell(other)("init")
    with opened(other) as store:
        assert {(view.oid, view.trial.notes) for view in store.log(None)} >= {(oid, "") for oid in hashes[1:]}
        assert store.verify() == []


def test_an_unbundling_moves_them(loop: tuple[Path, list[str]], clone: Callable[[str], Path], tmp_path: Path) -> None:
    """Where the commits come with rows of their own, both are one row, and nothing is recorded of it twice."""
    origin, hashes = loop
    with opened(origin) as store:
        take(store)
    Shell(origin)("export", "bundle", tmp_path / "rows.bundle")
    root = clone("alice")
    shell = Shell(root)
    shell("import", "autoresearch", "--lower-is-better")
    assert (
        "3 trials moved to commits which have arrived" in shell.run("import", "bundle", tmp_path / "rows.bundle").stderr
    )
    with opened(root) as store:
        assert sorted(shown(store)) == sorted((oid[:7], oid, "") for oid in hashes)
        assert store.verify() == []
        assert store.ledger.arrived() == []
