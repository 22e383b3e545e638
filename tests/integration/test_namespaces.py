"""Several campaigns in one repository: each with refs, index, lock, task, ids and writer's name of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitlineage import Invalid, LineageStore, Task, Trial
from gitlineage.model.namespace import DEFAULT, Namespace, campaigns_in, namespace_in, namespace_of
from gitlineage.record.landing import WriterLock, alone

FILES = {"train.py": b"lr = 1\n"}


def of_campaign(store: LineageStore, name: str) -> LineageStore:
    """Open another campaign of a store's repository, for the same writer."""
    return LineageStore._over(store.ledger.of_campaign(name))


def run(folder: Path, *words: str, env: dict[str, str] | None = None, code: int = 0) -> str:
    """Return what the program prints; what it says on standard error comes behind."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GITLINEAGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "gitlineage", *words],
        cwd=folder,
        env={**variables, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def git(folder: Path, *words: str) -> str:
    """Return what git prints."""
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository whose two campaigns rank differently."""
    root = tmp_path / "repo"
    with LineageStore(root, task=Task(score_field="core_metric")) as store:
        store.commit(FILES, trial=Trial(status="baseline", core_metric=0.5))
    with LineageStore(root, campaign="sweep", task=Task(score_field="val_bpb", lower_is_better=False)) as store:
        store.commit(FILES, trial=Trial(status="baseline", val_bpb=7))
        store.commit({"train.py": b"lr = 2\n"}, parents=["000"], trial=Trial(status="keep", val_bpb=9))
    return root


def test_apart(folder: Path) -> None:
    """Each campaign has its own trials, ids, task, best, refs and index; the default one's are where they were."""
    with LineageStore(folder) as plain, LineageStore(folder, campaign="sweep") as sweep:
        assert [each.exp_id for each in plain.all_trials()] == ["000"]
        assert [each.exp_id for each in sweep.all_trials()] == ["000", "001"]
        assert (plain.task.score_field, sweep.task.score_field) == ("core_metric", "val_bpb")
        assert plain.resolve("best") == plain.resolve("000") and sweep.resolve("best") == sweep.resolve("001")
        assert plain.campaigns() == sweep.campaigns() == ("default", "sweep")
        writer = plain.writer
        assert sweep.writer == writer, "the writer is the clone, in all campaigns"
        assert plain.verify() == sweep.verify() == []
    names = git(folder, "for-each-ref", "--format=%(refname)").splitlines()
    derived = [name for name in names if "/own/" not in name]
    assert derived == [
        "refs/lineage-sweep/best",
        "refs/lineage-sweep/exp/000",
        "refs/lineage-sweep/exp/001",
        "refs/lineage/best",
        "refs/lineage/exp/000",
        f"refs/notes/lineage-sweep/{writer}",
        f"refs/notes/lineage/{writer}",
    ]
    assert (folder / ".git/lineage/index.sqlite3").exists()
    assert (folder / ".git/lineage/campaigns/sweep/index.sqlite3").exists()
    assert "val_bpb" in git(folder, "log", "-1", "--notes=lineage-sweep/*", "lineage-sweep/best")


def test_chosen(folder: Path) -> None:
    """The option wins over the variable, that over git's configuration, which may be one worktree's alone."""
    git(folder, "config", "extensions.worktreeConfig", "true")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    git(folder, "worktree", "add", "-q", "../beside")
    beside = folder.parent / "beside"
    git(beside, "config", "--worktree", "lineage.campaign", "sweep")

    def shown(where: Path, *words: str, **variables: str) -> str:
        return str(json.loads(run(where, *words, "status", "--json", env=variables).splitlines()[0])["campaign"])

    assert (shown(folder), shown(beside)) == ("default", "sweep")
    assert shown(beside, GITLINEAGE_CAMPAIGN="default") == "default"
    assert shown(folder, GITLINEAGE_CAMPAIGN="sweep") == "sweep"
    assert shown(folder, "--campaign", "default", GITLINEAGE_CAMPAIGN="sweep") == "default"
    assert shown(folder, GITLINEAGE_CAMPAIGN="") == "default"
    with LineageStore(beside) as store:
        assert store.campaign == "sweep", "the library reads git's configuration, too"
        assert store.writer == git(beside, "config", "--local", "lineage.writer")
    with LineageStore(beside, campaign="default") as store:
        assert store.campaign == "default"


def test_library_reads_no_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GITLINEAGE_CAMPAIGN is the command line's alone."""
    monkeypatch.setenv("GITLINEAGE_CAMPAIGN", "sweep")
    with LineageStore(folder) as store:
        assert store.campaign == "default"


def test_only_init_begins_one(folder: Path) -> None:
    """A mistyped campaign is an error that says which there are, and leaves nothing behind; `init` begins one."""
    for words in (["log"], ["commit", "-m", "x"], ["prompt", "opt"], ["record", "000", "--status", "crash"]):
        said = run(folder, "--campaign", "swepe", *words, code=1)
        assert "no campaign 'swepe'" in said and "there is default, sweep" in said
        assert "`gitlineage --campaign swepe init` begins one" in said
    assert not (folder / ".git/lineage/campaigns/swepe").exists()
    assert "no campaign 'swepe'" in run(folder, "log", env={"GITLINEAGE_CAMPAIGN": "swepe"}, code=1)
    assert "nightly" in run(folder, "--campaign", "nightly", "init", "--metric", "acc", "--higher-is-better")
    assert "000" in run(folder, "--campaign", "nightly", "commit", "--root", "-m", "first", "--metric", "3")
    listed = [
        json.loads(line)
        for line in run(folder, "--campaign", "nightly", "status", "--campaigns", "--json").splitlines()
    ]
    assert [(each["campaign"], each["trials"], each["best"], each["current"]) for each in listed] == [
        ("default", 1, "000", False),
        ("nightly", 1, "000", True),
        ("sweep", 2, "001", False),
    ]
    text = run(folder, "status", "--campaigns")
    assert text.startswith("*  default") and "best 001" in text and "val_bpb, higher is better" in text


def test_init_alone_begins_one(tmp_path: Path) -> None:
    """A campaign is there once it was begun, with nothing recorded in it."""
    run(tmp_path, "--campaign", "one", "init")
    with LineageStore(tmp_path, campaign="one") as store:
        assert store.campaigns() == ("default", "one")
        assert store.all_trials() == []


@pytest.mark.parametrize(
    "name", ["", "Sweep", "a/b", "..", "-x", "a b", "x.lock", "a..b", ".x", "x" * 61, "ä", "x\n", "*"]
)
def test_names(tmp_path: Path, name: str) -> None:
    """A campaign's name is one part of a ref's name, the same on all disks; another one is refused before anything."""
    with pytest.raises(Invalid, match="cannot name a campaign"):
        namespace_of(name)
    with pytest.raises(Invalid, match="cannot name a campaign"):
        LineageStore(tmp_path, campaign=name)
    if name == "Sweep":
        assert "cannot name a campaign" in run(tmp_path, "--campaign", name, "init", code=2)
        git(tmp_path, "init", "-q")
        git(tmp_path, "config", "lineage.campaign", name)
        assert "git config lineage.campaign" in run(tmp_path, "log", code=1)


def test_prompts_name_it(folder: Path) -> None:
    """What an agent is told to type answers from the campaign that the prompt shows, whatever its shell is set to."""
    with LineageStore(folder) as plain, LineageStore(folder, campaign="sweep") as sweep:
        own, other = (store.render_prompt("opt").rendered_prompt for store in (plain, sweep))
    assert "\ngitlineage leaderboard\n" in own and "git diff lineage/exp/000 lineage/best" in own
    assert "\ngitlineage --campaign sweep leaderboard\n" in other and "\ngitlineage leaderboard" not in other
    assert "git diff lineage-sweep/exp/000 lineage-sweep/best" in other
    assert "gitlineage --campaign new commit" in run(folder, "--campaign", "new", "init")


def test_names_of_refs() -> None:
    """Which campaign a ref belongs to follows from its name; what no campaign can be called is none."""
    assert namespace_in("refs/notes/lineage/a") == DEFAULT == namespace_of("default")
    assert namespace_in("refs/notes/lineage-x/a") == Namespace("x")
    for ref in ("lineage-X/a", "lineage-x", "lineage", "lineagex/a", "lineage-/a", "lineage-default/a", "commits"):
        assert namespace_in(f"refs/notes/{ref}") is None, ref
    assert namespace_in("refs/heads/lineage/a") is None
    assert campaigns_in(["refs/notes/lineage-x/a", "refs/notes/lineage-b/a"]) == ("default", "b", "x")
    assert Namespace("x").key("writer") == "lineage.x.writer" and DEFAULT.key("writer") == "lineage.writer"


def test_batches_side_by_side(folder: Path) -> None:
    """The same thread may record in one campaign while a batch of another one is open."""
    with LineageStore(folder) as plain, LineageStore(folder, campaign="sweep") as sweep, plain.batch():
        plain.commit({"a": b"1"}, trial=Trial(status="discard", core_metric=0.7))
        sweep.commit({"a": b"2"}, trial=Trial(status="discard", val_bpb=1))
        assert sweep.trial("002").status == "discard"
    with LineageStore(folder) as plain:
        assert plain.trial("001").status == "discard"


def test_tidying_waits(folder: Path) -> None:
    """A pack that one campaign is landing is held, so another one must not let go of it: it asks for all the locks."""
    own, other = folder / ".git/lineage/lock", folder / ".git/lineage/campaigns/sweep/lock"
    with WriterLock(own)():
        with alone([other]) as is_alone:
            assert is_alone
        with WriterLock(other)(), alone([other]) as is_alone:
            assert not is_alone
    with LineageStore(folder) as plain, LineageStore(folder, campaign="sweep") as sweep:
        pack = folder / ".git/objects/pack"
        with sweep.batch():
            sweep.commit({"a": b"2"}, trial=Trial(status="discard", val_bpb=1))
            held = pack / "pack-0123456789012345678901234567890123456789.keep"
            held.write_bytes(next(iter(_keep_marks())))
            with plain.ledger.holding():
                plain.ledger.repo.landings = 0
                plain.ledger.tidy()
            assert held.exists()
        with plain.ledger.holding():
            plain.ledger.repo.landings = 0
            plain.ledger.tidy()
        assert not held.exists()


def _keep_marks() -> list[bytes]:
    """What the files hold that keep a pack which is being landed."""
    from gitlineage.git import packs

    return [packs._KEEP]


def test_replay_and_reindex(folder: Path) -> None:
    """The past of a campaign is its own, and so is what is built anew."""
    with LineageStore(folder, campaign="sweep") as sweep:
        past = sweep.replay(until="000")
        assert [each.exp_id for each in past.all_trials()] == ["000"] and past.campaign == "sweep"
        assert sweep.reindex() == 2
        with of_campaign(sweep, "default") as plain:
            assert len(plain.all_trials()) == 1 and plain.reindex() == 1
        with sweep.ledger.all_campaigns() as found:
            assert [each.campaign for each in found] == ["default", "sweep"] and found[1] is sweep.ledger
