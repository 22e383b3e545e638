"""Standard git is enough: a clone that fetched one writer's ref reads everything with log, show, diff and notes."""

import json

import pytest

from gitlineage import Trial


@pytest.fixture
def campaign(store) -> dict[str, str]:
    """Some snapshots by name: kept, discarded and crashed ones, one with two parents, one in a cohort."""
    made = {}
    for name, status, metric, parents in (
        ("000", "baseline", 1.5, []),
        ("001", "keep", 1.25, ["000"]),
        ("002", "discard", 1.75, ["001"]),
        ("003", "crash", None, ["001"]),
        ("004", "keep", 1.0, ["001", "002"]),
    ):
        trial = Trial(exp_id=name, status=status, core_metric=metric, hypothesis=f"idea {name}", specialist="arch")
        content = {"train.py": f"print({name!r})\n".encode()}
        made[name] = store.commit(content, parents, trial=trial, cohort="pair" if name == "004" else None).oid
    store.record("002", Trial(exp_id="002-seed2", status="discard", core_metric=1.5))
    return made


@pytest.fixture
def clone(campaign, git, tmp_path):
    """A fresh repository that fetched Alice's ref and nothing else."""
    place = tmp_path / "clone"
    git("init", "-q", str(place), cwd=tmp_path)
    source = str(tmp_path / "repo")
    git("fetch", "-q", source, "refs/notes/lineage/alice:refs/notes/lineage/alice", cwd=place)
    return place


def test_log_with_notes_shows_rows_beside_their_commits(campaign, clone, git):
    """Git log --notes prints each snapshot with its event lines, which any JSON reader takes."""
    for name, oid in campaign.items():
        said = git("log", "-1", "--notes=lineage/*", "--format=%s%n%N", oid, cwd=clone).strip().split("\n")
        assert said[0] == f"idea {name}"
        rows = [json.loads(line)["row"] for line in said[1:] if line]
        assert [row["exp_id"] for row in rows] == ([name, "002-seed2"] if name == "002" else [name])
    shown = git("log", "--notes=lineage/*", campaign["004"], cwd=clone)
    assert "Notes (lineage/alice):" in shown
    assert shown.count("commit ") >= 4


def test_notes_list_and_show(campaign, clone, git):
    """Git notes reads the ref as its own."""
    listed = {line.split()[1] for line in git("notes", "--ref=lineage/alice", "list", cwd=clone).split("\n")}
    assert set(campaign.values()) <= listed
    event = json.loads(git("notes", "--ref", "lineage/alice", "show", campaign["003"], cwd=clone))
    assert (event["type"], event["row"]["status"]) == ("trial", "crash")


def test_show_and_diff_of_failures(campaign, clone, git):
    """The code of a discarded and of a crashed trial is there, and so is what it changed."""
    assert git("show", f"{campaign['003']}:train.py", cwd=clone) == "print('003')"
    assert "+print('002')" in git("diff", campaign["001"], campaign["002"], cwd=clone)
    assert "+print('002')" in git("show", campaign["002"], cwd=clone)


def test_the_first_parent_log_is_the_activity_log(campaign, clone, git):
    """What was recorded, newest first, down to the genesis."""
    said = git("log", "--first-parent", "--format=%s", "refs/notes/lineage/alice", cwd=clone).split("\n")
    assert said[0] == "Record 002-seed2: discard"
    assert said[-2:] == ["Record 000: baseline", "Begin the lineage of alice"]
    assert len(said) == 7


def test_the_graph_is_gits(campaign, clone, git):
    """Ancestry, merge bases and trailers by git alone."""
    assert git("merge-base", campaign["002"], campaign["003"], cwd=clone) == campaign["001"]
    assert set(git("rev-list", campaign["004"], cwd=clone).split()) == {
        campaign[name] for name in ("000", "001", "002", "004")
    }
    assert (
        git("log", "-1", "--format=%(trailers:key=Cohort,valueonly,separator=)", campaign["004"], cwd=clone) == "pair"
    )
    assert git("log", "--all", "--grep=Exp-Id: 003", "--format=%H", cwd=clone) == campaign["003"]


def test_the_clone_is_whole_and_survives_gc(campaign, clone, git):
    """One ref carries snapshots and rows; gc --prune=now and fsck --strict have nothing to say."""
    git("gc", "--prune=now", "--quiet", cwd=clone)
    assert git("fsck", "--strict", "--no-dangling", cwd=clone) == ""
    for oid in campaign.values():
        git("ls-tree", "-r", oid, cwd=clone)


def test_a_store_on_the_clone_knows_all_that_git_fetched(store, campaign, clone, open_store):
    """The index is not fetched; it is made from the notes."""
    there = open_store(clone, writer="bob")
    assert there.all_trials() == store.all_trials()
    assert there.best().exp_id == "004"
    assert [each.oid for each in there.children("001")] == [each.oid for each in store.children("001")]
    assert there.cohort("pair") == store.cohort("pair")
    for specialist in ("arch", "nobody"):
        shown = [each.render_prompt(specialist, session_timestamp="t").rendered_prompt for each in (store, there)]
        assert shown[0] == shown[1]


def test_two_clones_meet_without_a_conflict(store, campaign, clone, open_store, git):
    """Each pushes its own ref, always forward, and both see the same history in the same order."""
    there = open_store(clone, writer="bob", identity=("Bob", "bob@example.org"))
    for at in range(3):
        store.append(Trial(exp_id=f"a{at}", status="discard", parent_exp="004"))
        there.append(Trial(exp_id=f"b{at}", status="discard", parent_exp="003"))
    there.append(Trial(exp_id="a1", status="crash", parent_exp="003"))
    git("push", "-q", str(store.root), "refs/notes/lineage/bob", cwd=clone)
    git("fetch", "-q", str(store.root), "refs/notes/lineage/alice:refs/notes/lineage/alice", cwd=clone)
    orders = [[(view.label, view.oid, view.order) for view in each.log(None)] for each in (store, there)]
    assert orders[0] == orders[1]
    assert {label for label, *_ in orders[0]} >= {"a0", "b0", "a1@alice", "a1@bob"}
    git("gc", "--prune=now", "--quiet", cwd=clone)
    git("fsck", "--strict", "--no-dangling", cwd=clone)


def test_push_moves_only_forward(store, campaign, clone, git):
    """A writer's push is a fast-forward, so a server that denies anything else takes it."""
    git("init", "-q", "--bare", str(clone.parent / "hub.git"), cwd=clone.parent)
    git("config", "receive.denyNonFastForwards", "true", cwd=clone.parent / "hub.git")
    git("config", "receive.fsckObjects", "true", cwd=clone.parent / "hub.git")
    for at in range(3):
        git("push", "-q", str(clone.parent / "hub.git"), "refs/notes/lineage/alice")
        store.append(Trial(exp_id=f"more{at}", status="discard"))
    assert (
        int(git("rev-list", "--first-parent", "--count", "refs/notes/lineage/alice", cwd=clone.parent / "hub.git")) == 9
    )
