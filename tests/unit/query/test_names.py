"""gitlineage.query.names: oids, ``best`` and git's own names come before exp ids, whoever recorded those."""

import subprocess

import pytest
from command_line import Shell

from gitlineage import Ambiguous, InvalidTrial, LineageStore, NotFound, Trial
from gitlineage.git.repository import GitRepo
from gitlineage.record.recorder import Row
from gitlineage.record.tables import append_rows
from gitlineage.record.watcher import Watcher

FILES = {"train.py": b"print(1)\n"}


class Ear(Watcher):
    """Keeps what a store says."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, text: str) -> None:
        """Keep a note."""
        self.heard.append(text)


def row(exp_id="*", status="keep", metric=1.0, **cells) -> Trial:
    """A trial with a score."""
    return Trial(exp_id=exp_id, status=status, core_metric=metric, **cells)


@pytest.fixture
def campaign(open_store, git, folder):
    """Alice's store with a commit of her own, a branch, a tag and two trials; and what it says."""
    store = open_store()
    git("commit", "-q", "--allow-empty", "-m", "mine")
    git("branch", "-M", "main")
    git("branch", "wider")
    git("tag", "v1")
    git("config", "lineage.writer", "alice")
    store.commit(FILES, trial=row("000", "baseline"))
    store.commit({"train.py": b"print(2)\n"}, ["000"], trial=row("001", metric=0.5))
    return store


def foreign(open_store, exp_ids, content=b"theirs\n") -> LineageStore:
    """Have another clone's older program record trials with some exp ids: its rows land as an import's do."""
    bob = open_store(writer="bob", identity=("Bob", "bob@example.org"))
    append_rows(bob.ledger, [Row(trial=row(each, "discard", 9.0)) for each in exp_ids], None)
    return bob


CLAIMED = ["HEAD", "@", "HEAD~0", "HEAD^0", "main", "wider", "v1", "heads/wider", "refs/tags/v1", "main@{0}"]


@pytest.mark.parametrize("name", [*CLAIMED, "wider~0"])
def test_a_name_of_gits_is_what_git_says(campaign, open_store, git, name):
    """Whatever others called their trials, git's names are git's, and one is told how to reach the trial."""
    foreign(open_store, [name])
    ear = Ear()
    with open_store(watcher=ear) as store:
        assert store.resolve(name) == git("rev-parse", f"{name}^{{commit}}")
        assert [f"{name}@bob" in said for said in ear.heard] == [True]
        theirs = store.resolve(f"{name}@bob")
        assert theirs != store.resolve(name)
        assert store.snapshot(theirs).exp_id == name
        assert store.trial(f"{name}@bob").exp_id == name
        with pytest.raises(NotFound):
            store.trial(name)  # nobody recorded a trial on that commit
        store.record(name, row("mine"))
        assert store.snapshot(name).exp_id == "mine"
        assert store.commit(FILES, [name], trial=row("child")).parents == (git("rev-parse", f"{name}^{{commit}}"),)


def test_a_full_oid_is_an_oid(campaign, open_store):
    """Another clone's trial with my oid for its exp id takes neither its place nor that of the snapshot I hold."""
    mine = campaign.snapshot("001")
    foreign(open_store, [mine.oid, mine.oid.upper()])
    ear = Ear()
    with open_store(watcher=ear) as store:
        assert store.resolve(mine.oid) == store.resolve(mine.oid.upper()) == mine.oid
        assert store.snapshot(f"{mine.oid}@bob").exp_id == mine.oid
        assert f"{mine.oid}@bob" in ear.heard[0]
        for parents in ([mine.oid], [mine], mine.oid, mine):
            assert store.commit({"f": b"x"}, parents).parents == (mine.oid,)
        absent = "1234567890" * 4
        foreign(open_store, [absent])
        with pytest.raises(NotFound, match=f"{absent}@bob"):
            store.resolve(absent)


def test_best_is_the_best(campaign, open_store, git):
    """Neither a trial nor a branch of that name is; both can be reached, and that is said."""
    foreign(open_store, ["best"])
    git("branch", "best")
    ear = Ear()
    with open_store(watcher=ear) as store:
        assert store.resolve("best") == store.resolve("001") == store.view("best").oid
        assert store.trial("best").exp_id == "001"
        assert [trial.exp_id for trial in store.chain_to("best")] == ["000", "001"]
        assert "best@bob" in ear.heard[0] and "refs/heads/best" in ear.heard[0]
        assert store.trial("best@bob").core_metric == 9.0
        assert store.resolve("refs/heads/best") == git("rev-parse", "HEAD")


def test_a_branch_that_is_named_like_a_trial_wins_and_is_told(campaign, open_store, git):
    """A branch 001 made later elsewhere is git's; on the trial's own commit there is nothing to tell."""
    git("branch", "000", campaign.resolve("000"))
    oid = campaign.resolve("001")
    git("branch", "001", "HEAD")
    ear = Ear()
    with open_store(watcher=ear) as store:
        assert store.trial("000").exp_id == "000" and ear.heard == []
        assert store.resolve("001") == git("rev-parse", "001") != oid
        means = f"001 is a name of git's own here, {git('rev-parse', 'HEAD')[:12]}; "
        assert ear.heard == [f"{means}for the other one of that name say 001@alice"]
        assert store.resolve("001@alice") == oid


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", [*CLAIMED, "best", "ORIG_HEAD", "refs/anything", "wider~7", "001@alice", "a" * 40])
def test_an_exp_id_that_stands_for_something_else_is_refused(campaign, git, name, packed):
    """Nothing is recorded, by any verb, and the line says what it could be taken for."""
    if packed:
        git("pack-refs", "--all")
    pending = campaign.commit(FILES)
    before = campaign.ledger.journal.tips()
    verbs = (
        lambda: campaign.commit({"f": b"1"}, trial=row(name)),
        lambda: campaign.record(pending, row(name)),
        lambda: campaign.append(row(name)),
        lambda: campaign.append_many([row("fine"), row(name)]),
        lambda: campaign.announce(pending, row(name)),
    )
    for verb in verbs:
        with pytest.raises(InvalidTrial, match="could be taken for"):
            verb()
    assert campaign.ledger.journal.tips() == before


@pytest.mark.parametrize("name", ["mainly", "head", "HEADS", "0000", "deadbeef", "a~b", "feature/x", "best2"])
def test_other_exp_ids_are_taken(campaign, name):
    """What only looks a little like one of those is an exp id as any other, and found by it."""
    made = campaign.commit({"f": b"1"}, trial=row(name))
    assert campaign.resolve(name) == made.oid
    assert campaign.trial(name).exp_id == name


def test_automatic_numbers_leave_out_what_git_has(campaign, git):
    """A branch called 002 costs a number, never a trial."""
    git("branch", "002")
    assert campaign.commit(FILES, trial=row()).exp_id == "003"
    git("tag", "004")
    assert [each.exp_id for each in campaign.append_many([row(), row()])] == ["005", "006"]


def test_an_import_keeps_such_rows_and_says_how_they_are_called(campaign, folder, git, tmp_path):
    """A file with a row named HEAD is imported whole, and `record HEAD` still lands on git's HEAD."""
    table = tmp_path / "results.tsv"
    table.write_text(
        "exp_id\tparent_exp\tstatus\tcore_metric\n000x\t\tkeep\t5\nHEAD\t000x\tkeep\t3\nb\tHEAD\tkeep\t2\n"
    )
    shell = Shell(folder)
    done = shell.run("import", "tsv", table)
    assert done.exit_code == 0 and "HEAD@alice" in done.stderr
    done = shell.run("record", "HEAD", "--metric", "7", "--json")
    assert done.exit_code == 0 and "HEAD@alice" in done.stderr
    with LineageStore(folder, create=False) as store:
        assert store.snapshot(git("rev-parse", "HEAD")).trial.core_metric == 7
        assert [trial.exp_id for trial in store.chain_to("b")] == ["000x", "HEAD", "b"]
        assert store.trial("HEAD@alice").core_metric == 3
    assert "a name of git's own" in shell.fails(1, "commit", "--exp-id", "@", "--metric", "1")
    shell.run("import", "tsv", table)
    with LineageStore(folder, create=False) as store:
        assert len(store.all_trials()) == 6


def test_what_the_library_handed_out_is_its_own_snapshot(campaign, open_store):
    """Trials of every list resolve by the oid they came with, also where another clone took the exp id meanwhile."""
    store = campaign
    oid = store.resolve("001")
    handed = [
        store.best(),
        store.trial("001"),
        store.latest(1)[0],
        store.leaderboard()[0],
        store.all_trials()[-1],
        store.chain_to("001")[-1],
        store.view("001"),
        store.view("001").trial,
        store.snapshot("001").trial,
        store.snapshot("001"),
        store.commit({"train.py": b"print(2)\n"}, ["000"], trial=row("001", metric=0.5)).trial,
    ]
    bob = open_store(writer="bob")
    append_rows(bob.ledger, [Row(trial=row("001x"))], None)
    theirs = bob.resolve("001x")
    old = handed[1]
    store.record("001", row("001", metric=0.4), revise=True)
    _take(bob, theirs, old)
    for each in handed:
        assert store.resolve(each) == oid, each
        assert store.commit({"f": b"x"}, [each]).parents == (oid,)
        assert store.chain_to(each)[-1].oid == oid
    with pytest.raises(Ambiguous):
        store.resolve(row("001", metric=77.0))
    assert store.resolve(store.trial("001@alice").replace(notes="")) == oid


def _take(store, oid, trial) -> None:
    """Record an exp id that is taken, as a clone that has not seen it does."""
    store.ledger.record_with(lambda recorder: recorder._add_trial(oid, trial))


def _full_name(folder, name) -> str:
    """The ref that git takes a name for; empty for none."""
    words = ["git", "rev-parse", "--symbolic-full-name", "--verify", "-q", "--end-of-options", name]
    said = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False).stdout.split()
    return next((word for word in said if word.startswith("refs/")), "")


def test_is_name_agrees_with_git(git, folder, tmp_path):
    """What git finds a ref for is a name; beginnings of oids and other texts are none."""
    folder.mkdir()
    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "x")
    for words in (("branch", "feature/a"), ("branch", "015"), ("tag", "v1"), ("tag", "-m", "t", "v2")):
        git(*words)
    git("clone", "-q", ".", str(tmp_path / "clone"))
    git("update-ref", "refs/lineage/best", "HEAD")
    git("symbolic-ref", "refs/remotes/far/HEAD", "refs/heads/main")
    names = [
        "main",
        "feature/a",
        "feature",
        "015",
        "v1",
        "v2",
        "heads/main",
        "tags/v1",
        "lineage/best",
        "far",
        "far/HEAD",
    ]
    names += ["nothing", "config", "index", "a b", "a..b", "../config", "heads", "0000", git("rev-parse", "HEAD")[:7]]
    for packed in (False, True):
        if packed:
            git("pack-refs", "--all")
        repo = GitRepo(folder)
        for name in names:
            said = _full_name(folder, name)
            assert repo.is_name(name) == bool(said), name
            assert repo.is_name(f"{name}~1") == bool(said), name
