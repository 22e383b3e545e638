"""gitlineage.record.recorder: what is refused before anything is written, what is filled in, and what a retry adds."""

import subprocess

import pytest

from gitlineage import CohortMismatch, Duplicate, Invalid, InvalidTrial, NotFound, Task, Trial
from gitlineage.journal import events

FILES = {"train.py": b"print(1)\n"}


def row(exp_id="*", status="keep", metric=1.0, **cells) -> Trial:
    """A trial with a score."""
    return Trial(exp_id=exp_id, status=status, core_metric=metric, **cells)


def state(folder) -> tuple[str, str]:
    """Every object and every ref of a repository."""
    listing = [
        ["cat-file", "--batch-all-objects", "--batch-check"],
        ["for-each-ref"],
    ]
    return tuple(
        subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True).stdout for words in listing
    )


# -- snapshots ---------------------------------------------------------------------------------------------


def test_parents_are_kept_in_order_and_named_twice_count_once(store, git):
    """Duplicate parents are dropped, the first place counts, in our model and in git's commit."""
    a, b, c = (store.commit({"f": name.encode()}, trial=row(name)) for name in "abc")
    child = store.commit(FILES, [b, "a", b.oid, "c", a.oid[:10]], trial=row("d"))
    assert child.parents == (b.oid, a.oid, c.oid)
    assert git("log", "-1", "--format=%P", child.oid).split() == [b.oid, a.oid, c.oid]


@pytest.mark.parametrize("given", ["nope", "f" * 40, "exp_77", "a@bob", ""])
def test_an_unknown_parent_is_refused_before_anything_is_written(store, folder, given):
    """No object, no ref and no event is left of a commit whose parent nobody knows."""
    store.commit(FILES, trial=row("a"))
    before = state(folder)
    with pytest.raises(NotFound):
        store.commit({"new": b"content that no other test has"}, ["a", given], trial=row("b"))
    assert state(folder) == before
    assert [trial.exp_id for trial in store.all_trials()] == ["a"]


def test_a_commit_that_nobody_recorded_keeps_what_inspired_it(store, git):
    """A role of a commit that is no git parent is an inspiration, whoever is asked: the index or the commit alone."""
    parent, idea = (store.commit({"f": name.encode()}, trial=row(name)) for name in "ab")
    made = store.commit(FILES, ["a"], trial=row("c"), roles={"a": "base", "b": "inspiration"})
    message = git("log", "-1", "--format=%B", made.oid) + "\n"
    plain = store.snapshot(git("commit-tree", made.tree, "-p", parent.oid, "-m", message).strip())
    assert not plain.recorded
    for snapshot in (made, store.snapshot("c"), plain):
        assert (dict(snapshot.roles), snapshot.inspirations) == ({parent.oid: "base"}, (idea.oid,))


def test_a_row_is_encoded_once_on_its_way_in(store, monkeypatch):
    """Whatever is in a row and however it comes, one line of JSON is made of it."""
    made = []
    encode = events.encode
    monkeypatch.setattr(events, "encode", lambda event: made.append(event) or encode(event))
    cells = {"hypothesis": "h" * 20_000, "metric": "1.50", "extra": {"seed": "7"}}
    store.commit(FILES, trial=row("a", **cells))
    store.append(row("b", **cells))
    with store.batch():
        store.append(row("c", **cells))
    store.record("a", row("a", notes="revised"), revise=True)
    assert [event.row["exp_id"] for event in made] == ["a", "b", "c", "a"]


@pytest.mark.parametrize("cells", [{"notes": "\x01" * 180_000}, {"extra": {"\ud800": "1"}}])
def test_a_row_that_cannot_be_a_line_is_refused_before_anything_is_written(store, folder, cells):
    """One that is too long in JSON, or names a column that is no text, leaves no object and no event."""
    store.commit(FILES, trial=row("a"))
    before = state(folder)
    with pytest.raises(Invalid):
        store.commit({"new": b"content that no other test has"}, ["a"], trial=row("b", **cells))
    with pytest.raises(Invalid):
        store.append(row("b", **cells))
    with pytest.raises(Invalid):
        store.record("a", row("a", **cells), revise=True)
    assert state(folder) == before


def test_a_tree_or_blob_is_no_parent(store):
    """Only commits can be parents, whatever else git can name."""
    snapshot = store.commit(FILES, trial=row("a"))
    for name in (snapshot.tree, f"{snapshot.oid}:train.py"):
        with pytest.raises(NotFound):
            store.commit(FILES, [name], trial=row("b"))


def test_equal_content_has_an_equal_content_id_and_different_ids(store):
    """The tree says what a snapshot is, the commit how it came about (semantics 2)."""
    first = store.commit(FILES, trial=row("a"))
    second = store.commit(FILES, ["a"], trial=row("b"))
    third = store.commit(FILES)
    fourth = store.commit(FILES)
    assert len({each.oid for each in (first, second, third, fourth)}) == 4
    assert {each.content_id for each in (first, second, third, fourth)} == {first.tree}


def test_harden_then_soften_comes_back_to_the_content_but_not_to_the_snapshot(store):
    """A step there and back is a line of three snapshots, not a circle."""
    soft = store.commit(FILES, trial=row("a"))
    hard = store.commit({"train.py": b"print(2)\n"}, ["a"], trial=row("b"))
    back = store.commit(FILES, ["b"], trial=row("c"))
    assert back.content_id == soft.content_id
    assert [node.id for node in store.ancestors(back)] == [hard.oid, soft.oid]


def test_roles_are_read_back_from_the_commit_alone(store, git):
    """Roles are trailers of the commit; plain git shows them and a rebuilt index knows them."""
    a, b = (store.commit({"f": name.encode()}, trial=row(name)) for name in "ab")
    child = store.commit(FILES, [a, b], trial=row("c"), roles={"b": "mate", "a": "base"})
    trailers = git("log", "-1", "--format=%(trailers:key=Lineage-Parent,valueonly)", child.oid).split("\n")
    assert trailers[:2] == [f"{a.oid} role=base", f"{b.oid} role=mate"]
    store.reindex()
    assert store.snapshot("c").roles == {a.oid: "base", b.oid: "mate"}


def test_an_inspiration_is_a_trailer_and_no_git_parent(store, git):
    """What gave no content is named, kept alive, and no parent of anybody."""
    a, b = (store.commit({"f": name.encode()}, trial=row(name)) for name in "ab")
    child = store.commit(FILES, ["a"], trial=row("c"), roles={"b": "inspiration", "a": "base"})
    assert child.parents == (a.oid,)
    assert child.inspirations == (b.oid,)
    assert child.roles == {a.oid: "base"}
    assert store.children("b") == ()
    assert f"{b.oid} role=inspiration" in git("cat-file", "-p", child.oid)
    (view,) = [view for view in store.log() if view.trial.exp_id == "c"]
    assert [(kin.label, kin.role) for kin in view.others] == [("b", "inspiration")]


def test_an_inspiration_that_nobody_recorded_survives_gc(store, git):
    """A commit that only a trailer names is kept alive by the writer's ref."""
    store.commit(FILES, trial=row("a"))
    tree = git("mktree", data="")
    loose = git("commit-tree", tree, "-m", "an idea on nobody's branch")
    store.commit(FILES, ["a"], trial=row("b"), roles={loose: "inspiration"})
    git("gc", "--prune=now", "--quiet")
    assert git("cat-file", "-t", loose) == "commit"


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"a": "father"}, "must be one of"),
        ({"b": "mate"}, "not among the parents"),
        ({"a": "base", "exp_a": "mate"}, "two roles"),
    ],
)
def test_a_wrong_role_is_refused_and_writes_nothing(store, folder, roles, said):
    """Roles are four words, each for one parent, once."""
    store.commit(FILES, trial=row("a"))
    store.commit(FILES, trial=row("b"))
    before = state(folder)
    with pytest.raises(Invalid, match=said):
        store.commit({"other": b"file"}, ["a"], trial=row("c"), roles=roles)
    assert state(folder) == before


def test_the_message_carries_the_hypothesis_and_the_trailers(store, git):
    """Subject and trailers are what git's own trailer parser reads."""
    store.commit(FILES, trial=row("a"))
    trial = row("b", specialist="arch", hypothesis="try\nRoPE:\tyes ")
    snapshot = store.commit(FILES, ["a"], trial=trial, cohort="wide")
    assert git("log", "-1", "--format=%s", snapshot.oid) == "try RoPE: yes"
    body = git("log", "-1", "--format=%B", snapshot.oid)
    parsed = git("interpret-trailers", "--parse", data=body + "\n").split("\n")
    assert parsed == ["Exp-Id: b", "Specialist: arch", "Cohort: wide"]


def test_a_message_that_ends_like_trailers_does_not_forge_any(store):
    """What a caller says is never read as our trailer."""
    said = "subject\n\nExp-Id: 999\nCohort: forged"
    snapshot = store.commit(FILES, message=said, trial=row("a"))
    store.reindex()
    assert store.snapshot("a").cohort is None
    assert store.snapshot(snapshot.oid).exp_id == "a"


@pytest.mark.parametrize(
    "hypothesis", ["", "x\n\nCohort: forged", "\n\n\nlead", "\x00\x1b[31m", "a" * 5000, "é\u2028ü"]
)
def test_any_hypothesis_becomes_a_one_line_subject(store, git, hypothesis):
    """A hypothesis never breaks the commit message, and its cell keeps its text."""
    snapshot = store.commit(FILES, trial=row("a", hypothesis=hypothesis))
    assert git("log", "-1", "--format=%(trailers:key=Cohort)", snapshot.oid) == ""
    assert git("log", "-1", "--format=%(trailers:key=Exp-Id,valueonly)", snapshot.oid).strip() == "a"
    store.reindex()
    assert store.trial("a").hypothesis == hypothesis
    git("fsck", "--strict", "--no-dangling")


# -- rows --------------------------------------------------------------------------------------------------


def test_empty_cells_that_the_store_knows_are_filled_in(store):
    """Id, time, parent, best and delta come from the store (semantics 13, 16)."""
    store.commit(FILES, trial=row(status="baseline", metric=1.5))
    snapshot = store.commit(FILES, ["000"], trial=row(metric=1.25))
    trial = snapshot.trial
    assert trial.exp_id == "001"
    assert trial.parent_exp == "000"
    assert trial.baseline_exp == "000"
    assert trial.text("delta_vs_best") == "-0.250000"
    assert trial.timestamp.startswith("2026-01-01T00:00:")
    third = store.commit(FILES, ["000"], trial=row(status="discard", metric=1.75)).trial
    assert (third.baseline_exp, third.text("delta_vs_best")) == ("001", "+0.500000")


def test_cells_that_were_given_are_never_replaced(store):
    """What the caller says stays as it was said."""
    store.commit(FILES, trial=row("000", "baseline", 1.5))
    said = row("x", metric="1.2500", timestamp="noon", parent_exp="exp_000", baseline_exp="?", delta_vs_best="-0.3")
    trial = store.commit(FILES, ["000"], trial=said).trial
    assert trial.to_row() == said.to_row()


def test_a_crash_gets_no_delta(store):
    """Only scored keeps and discards are compared with the best (semantics 16)."""
    store.commit(FILES, trial=row("000", "baseline", 1.5))
    assert store.commit(FILES, trial=row("001", "crash", None)).trial.delta_vs_best is None
    assert store.commit(FILES, trial=row("002", "size_blocked", 1.0)).trial.delta_vs_best is None
    assert store.commit(FILES, trial=row("003", "keep", None)).trial.delta_vs_best is None


def test_a_pending_trial_gets_its_result_and_keeps_what_was_said_before(store):
    """Commit without a status, record with one: one trial, its cells merged."""
    store.commit(FILES, trial=row("000", "baseline", 1.5))
    snapshot = store.commit(FILES, ["000"], trial=Trial(exp_id="001", hypothesis="wider", specialist="arch"))
    assert snapshot.trial.status is None
    assert [trial.exp_id for trial in store.all_trials()] == ["000"]
    assert store.log()[0].trial.exp_id == "001"
    done = store.record(snapshot, row(metric=1.25))
    assert (done.exp_id, done.hypothesis, done.specialist, done.core_metric) == ("001", "wider", "arch", 1.25)
    assert store.snapshot("001").trials == (done,)
    assert store.trial("001").baseline_exp == "000"


def test_a_pending_trial_can_be_recorded_by_its_id_among_several(store):
    """Two trials wait on one commit: the id says which one is meant."""
    snapshot = store.commit(FILES, trial=Trial(exp_id="a"))
    store.record(snapshot, row("b"))
    store.record(snapshot, row("a", "crash", None))
    assert [(trial.exp_id, trial.status.value) for trial in store.snapshot("a").trials] == [
        ("b", "keep"),
        ("a", "crash"),
    ]


def test_replicates_on_one_snapshot_are_trials_of_their_own(store):
    """Several rows on one commit are legal; each counts and each has its id."""
    snapshot = store.commit(FILES, trial=row("a", metric=1.5))
    ids = [store.record(snapshot, row(metric=metric)).exp_id for metric in (1.25, 1.125)]
    assert len({"a", *ids}) == 3
    assert [trial.core_metric for trial in store.snapshot(snapshot).trials] == [1.5, 1.25, 1.125]
    assert store.best().exp_id == ids[1]
    assert len(store.all_trials()) == 3


def test_recording_the_identical_row_again_adds_nothing(store, git):
    """A retry of record is no error and moves no ref."""
    snapshot = store.commit(FILES)
    store.record(snapshot, row("a", hypothesis="x"))
    before = git("rev-parse", "refs/notes/lineage/alice")
    assert store.record(snapshot, row("a", hypothesis="x")).exp_id == "a"
    assert git("rev-parse", "refs/notes/lineage/alice") == before


def test_a_different_row_under_a_taken_id_is_refused(store):
    """On the same snapshot and on another one, an id stands for one row."""
    first = store.commit(FILES, trial=row("a"))
    other = store.commit({"g": b"1"}, trial=row("b"))
    with pytest.raises(Duplicate, match="revise"):
        store.record(first, row("a", metric=2.0))
    with pytest.raises(Duplicate, match="taken"):
        store.record(other, row("a"))
    with pytest.raises(Duplicate):
        store.commit({"h": b"1"}, trial=row("a"))
    with pytest.raises(Duplicate):
        store.append(row("a", metric=3.0))
    assert [(trial.exp_id, trial.core_metric) for trial in store.all_trials()] == [("a", 1.0), ("b", 1.0)]


def test_revise_records_a_new_version_and_keeps_the_old_one_in_history(store, git):
    """The revision holds; the note still has the line it replaced, and the place in the order stays."""
    snapshot = store.commit(FILES, trial=row("a", metric=1.5, notes="first"))
    store.commit(FILES, trial=row("b", metric=1.25))
    store.record(snapshot, row("a", "discard", 1.75), revise=True)
    assert [(t.exp_id, t.core_metric, t.notes) for t in store.all_trials()] == [("a", 1.75, "first"), ("b", 1.25, "")]
    note = git("notes", "--ref=lineage/alice", "show", snapshot.oid)
    assert note.count('"type":"trial"') == 2
    store.reindex()
    assert store.trial("a").status.value == "discard"


def test_the_same_commit_again_adds_nothing(store, git):
    """A retry of commit gives back the snapshot that is there."""
    store.commit(FILES, trial=row("000", "baseline", 1.5))
    first = store.commit({"f": b"1"}, ["000"], trial=row("001", metric=1.25))
    before = git("rev-parse", "refs/notes/lineage/alice")
    again = store.commit({"f": b"1"}, ["000"], trial=row("001", metric=1.25))
    assert again == first
    assert git("rev-parse", "refs/notes/lineage/alice") == before
    with pytest.raises(Duplicate):
        store.commit({"f": b"2"}, ["000"], trial=row("001", metric=1.25))


def test_a_retried_pending_commit_adds_nothing_after_its_result_came(store):
    """The loop that died between commit and record may start over."""
    pending = Trial(exp_id="001", hypothesis="wider")
    first = store.commit(FILES, trial=pending)
    store.record(first, row("001"))
    assert store.commit(FILES, trial=pending).oid == first.oid
    assert len(store.all_trials()) == 1


@pytest.mark.parametrize("call", ["record", "append"])
def test_a_row_without_a_status_is_refused(store, call):
    """Neither record nor append takes a trial that has not been run."""
    snapshot = store.commit(FILES)
    with pytest.raises(InvalidTrial, match="status"):
        store.record(snapshot, Trial(exp_id="a")) if call == "record" else store.append(Trial(exp_id="a"))
    assert store.log() == []


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", " NaN "])
def test_a_score_that_is_not_finite_is_refused_in_any_column(open_store, text):
    """The task's score may be in an extra column; NaN ranks nothing there either."""
    store = open_store(task=Task(score_field="accuracy", lower_is_better=False))
    snapshot = store.commit(FILES)
    for write in (store.append, lambda trial: store.record(snapshot, trial)):
        with pytest.raises(InvalidTrial):
            write(Trial(exp_id="a", status="keep", extra={"accuracy": text}))
    with pytest.raises(InvalidTrial):
        store.commit({"x": b"1"}, trial=Trial(exp_id="a", status="keep", extra={"accuracy": text}))
    assert store.log() == []


# -- append ------------------------------------------------------------------------------------------------


def test_append_gives_the_same_ids_on_two_machines(open_store, tmp_path):
    """The same rows give the same snapshots, whoever appends them, wherever and whenever."""
    rows = [
        row("000", "baseline", 1.5, timestamp="2026-05-01T10:00:00Z", specialist="seed"),
        row("001", "keep", "1.2500", timestamp="2026-05-01T11:00:00+02:00", parent_exp="exp_000", specialist="Ä B"),
        row("002", "crash", None, timestamp="2026-05-01T11:00:01Z", parent_exp="001", hypothesis="x\ty"),
    ]
    first = open_store(tmp_path / "one")
    second = open_store(tmp_path / "two", writer="bob", identity=("Bob", "bob@example.org"))
    second.commit({"noise": b"1"}, trial=row("zzz"))
    assert [first.append(each).oid for each in rows] == [second.append(each).oid for each in rows]


def test_append_links_a_parent_that_was_typed_with_exp(store):
    """``exp_000`` means 000 where only that exists; the cell keeps its text."""
    root = store.append(row("000", "baseline"))
    child = store.append(row("001", parent_exp="exp_000"))
    assert child.parents == (root.oid,)
    assert child.trial.parent_exp == "exp_000"
    exact = store.append(row("exp_000"))
    assert store.append(row("002", parent_exp="exp_000")).parents == (exact.oid,)


def test_append_keeps_a_dangling_parent_as_text(store):
    """A parent that the store does not hold makes a root, and a listing names it."""
    snapshot = store.append(row("001", parent_exp="999"))
    assert snapshot.parents == ()
    assert snapshot.trial.parent_exp == "999"
    (view,) = store.log(dangling=True)
    assert (view.trial.exp_id, view.dangling) == ("001", "999")


def test_append_takes_the_parents_content_or_the_rows_folder(store, folder):
    """Without a folder of its own, a row has its parent's recipe."""
    root = store.commit(FILES, trial=row("000", "baseline"))
    assert store.append(row("001", parent_exp="000")).tree == root.tree
    recipe = folder / "snapshots" / "002_arch"
    recipe.mkdir(parents=True)
    (recipe / "train.py").write_text("print(2)\n")
    store.append(row("002", parent_exp="000", snapshot_path="snapshots/002_arch"))
    assert store.files("002") == {"train.py": b"print(2)\n"}


@pytest.mark.parametrize("path", ["../outside", "/etc", "..", ".", "missing", "a\0b", "x" * 300, "/" * 5000, "~"])
def test_append_never_reads_a_folder_outside_of_the_store(store, folder, path):
    """A snapshot_path that leads out, or nowhere, is text and nothing else."""
    (folder.parent / "outside").mkdir()
    (folder.parent / "outside" / "secret").write_text("x")
    snapshot = store.append(row("001", snapshot_path=path))
    assert store.files(snapshot) == {}
    assert snapshot.trial.snapshot_path == path


def test_append_never_follows_a_link_out_of_the_store(store, folder, tmp_path):
    """A symbolic link below the root does not let a row read elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (folder / "link").symlink_to(outside)
    assert store.files(store.append(row("001", snapshot_path="link"))) == {}


def test_appending_the_identical_row_again_adds_nothing(store, git):
    """A retry of append is no error and moves no ref; a different row is refused."""
    first = store.append(row("001", hypothesis="x", metric="1.50"))
    before = git("rev-parse", "refs/notes/lineage/alice")
    assert store.append(row("001", hypothesis="x", metric="1.50")) == first
    assert git("rev-parse", "refs/notes/lineage/alice") == before
    with pytest.raises(Duplicate):
        store.append(row("001", hypothesis="x", metric="1.5"))


def test_append_with_parents_that_are_given(store):
    """Parents said in the call are the parents, whatever the cell says."""
    a, b = store.append(row("a")), store.append(row("b"))
    assert store.append(row("c", parent_exp="zzz"), parents=["b", a, "b"]).parents == (b.oid, a.oid)


# -- ids ---------------------------------------------------------------------------------------------------


def test_the_next_exp_id_is_the_highest_number_plus_one(store):
    """Numbers count past gaps, names do not count, and three digits are the least (semantics 13)."""
    assert store.append(row()).exp_id == "000"
    store.append(row("alpha-7"))
    store.append(row("exp_0500"))
    store.append(row("041"))
    assert store.append(row()).exp_id == "042"
    store.append(row("0999"))
    assert store.append(row()).exp_id == "1000"
    assert store.append(row()).exp_id == "1001"


@pytest.mark.parametrize("ups", [["002", "001"], ["001", "001"], ["003", "001", "002"]], ids=["two", "self", "three"])
def test_rows_whose_parents_go_round_begin_with_the_earliest(store, ups):
    """Git cannot hold a circle: its earliest row has no parent and keeps its cell; the others are derived from it."""
    rows = [row(f"{at:03d}", parent_exp=up) for at, up in enumerate(ups, 1)]
    store.append_many(rows)
    views = {view.label: view for view in store.log(None)}
    assert views["001"].parent is None
    assert views["001"].dangling == ups[0]
    assert [view.label for view in store.log(None, dangling=True)] == ["001"]
    for at, up in list(enumerate(ups, 1))[1:]:
        assert views[f"{at:03d}"].parent == up
    assert store.chain_to(rows[-1].exp_id)[0].exp_id == "001"


def test_many_rows_without_an_exp_id_are_numbered(store):
    """They go on from the highest number in the store and in the other rows, and every reader has them."""
    store.append(row("006"))
    made = store.append_many([row(metric=1.0), row("010"), row(metric=3.0), row("name")])
    assert [each.exp_id for each in made] == ["011", "010", "012", "name"]
    assert store.append(row()).exp_id == "013"
    store.reindex()
    assert [each.exp_id for each in store.all_trials()] == ["006", "011", "010", "012", "name", "013"]
    assert store.history.problems() == []


@pytest.mark.parametrize("exp_id", ["", " a", "a ", "a\nb", "a\tb", "\x1b", "a\u2028b", "x" * 201, "\x9f"])
def test_an_exp_id_that_cannot_name_a_trial_is_refused(exp_id):
    """Empty, padded, overlong and control characters name nothing."""
    with pytest.raises(InvalidTrial):
        row(exp_id)


@pytest.mark.parametrize("exp_id", ["..", "-x", "x@y", "a//b"])
def test_an_exp_id_that_no_command_could_name_is_refused_for_a_new_trial(store, git, exp_id):
    """What an option, a writer's label or a folder begins as is no name; nothing is written."""
    with pytest.raises(InvalidTrial):
        store.commit(FILES, trial=row(exp_id, metric=2.0))
    assert store.all_trials() == [] and git("for-each-ref", "refs/lineage") == ""


@pytest.mark.parametrize("exp_id", ["a/b", "a", "é" * 60, "a.lock", "a b", "é" * 200])
def test_any_other_exp_id_is_recorded_found_and_named_by_a_ref(store, git, exp_id):
    """Ids are opaque: what refs and paths cannot hold is encoded there, and nobody else is hurt."""
    snapshot = store.commit(FILES, trial=row(exp_id, metric=2.0))
    other = store.commit({"x": b"1"}, trial=row("a/b/c", metric=1.0))
    assert store.resolve(exp_id) == snapshot.oid
    assert store.trial(exp_id).exp_id == exp_id
    assert git("rev-parse", "refs/lineage/best") == other.oid
    refs = git("for-each-ref", "--format=%(objectname)", "refs/lineage/exp/").split()
    assert other.oid in refs
    store.reindex()
    assert git("rev-parse", "refs/lineage/best") == other.oid
    assert store.resolve(exp_id) == snapshot.oid


# -- cohorts -----------------------------------------------------------------------------------------------


def test_a_cohort_gives_base_metadata_and_members_in_recording_order(store, git):
    """open_cohort, then members: all of it comes back, from the index and from the notes."""
    base = store.commit(FILES, trial=row("000", "baseline"))
    opened = store.open_cohort("wide", ["000"], seeds=[1, 2], note="try", planned=3)
    members = [store.commit({"f": bytes([at])}, ["000"], trial=row(), cohort="wide") for at in range(3)]
    store.commit({"f": b"x"}, ["000"], trial=row())
    cohort = store.cohort("wide")
    assert cohort.base == (base.oid,)
    assert cohort.metadata == {"seeds": [1, 2], "note": "try", "planned": 3}
    assert cohort.members == tuple(member.oid for member in members)
    assert git("rev-parse", "refs/lineage/cohorts/wide") == opened.oid
    assert git("log", "-1", "--format=%P", opened.oid) == base.oid
    store.reindex()
    assert store.cohort("wide") == cohort
    assert [view.trial.exp_id for view in store.log(cohort="wide")] == ["003", "002", "001"]


def test_an_empty_cohort_and_a_rootless_one_are_legal(store):
    """Nobody needs to be a member, and a base may be nothing."""
    assert store.open_cohort("empty").members == ()
    member = store.commit(FILES, trial=row(), cohort="empty")
    assert store.cohort("empty").members == (member.oid,)


def test_a_member_with_other_parents_is_refused_unless_the_cohort_is_mixed(store, folder):
    """A cohort is generated from one parent state (semantics 4)."""
    store.commit(FILES, trial=row("a"))
    store.commit({"g": b"1"}, trial=row("b"))
    store.open_cohort("strict", ["a"])
    store.open_cohort("mixed", ["a"], allow_mixed=True)
    for parents in ([], ["b"], ["a", "b"]):
        with pytest.raises(CohortMismatch, match="strict"):
            store.commit({"h": b"1"}, parents, trial=row("c"), cohort="strict")
        store.commit({"h": repr(parents).encode()}, parents, trial=row(), cohort="mixed")
    assert store.cohort("strict").members == ()
    assert len(store.cohort("mixed").members) == 3


def test_a_member_may_name_its_parents_in_another_order(store):
    """The base is a set of parents; a member's own order stays its own."""
    a, b = store.commit(FILES, trial=row("a")), store.commit({"g": b"1"}, trial=row("b"))
    store.open_cohort("pair", ["a", "b", "a"])
    assert store.cohort("pair").base == (a.oid, b.oid)
    assert store.commit({"h": b"1"}, ["b", "a"], trial=row("c"), cohort="pair").parents == (b.oid, a.oid)


def test_a_cohort_that_is_not_open_is_opened_with_its_first_members_parents(store, git):
    """Naming a cohort is enough; it and its member land together."""
    base = store.commit(FILES, trial=row("000", "baseline"))
    before = git("rev-list", "--first-parent", "--count", "refs/notes/lineage/alice")
    store.commit({"f": b"1"}, ["000"], trial=row(), cohort="new")
    after = git("rev-list", "--first-parent", "--count", "refs/notes/lineage/alice")
    assert store.cohort("new").base == (base.oid,)
    assert int(after) == int(before) + 1
    with pytest.raises(CohortMismatch):
        store.commit({"f": b"2"}, trial=row(), cohort="new")


def test_opening_a_cohort_twice_is_no_error_only_if_it_is_the_same(store):
    """A retry is fine, also with metadata that JSON spells differently; anything else is refused."""
    store.commit(FILES, trial=row("a"))
    first = store.open_cohort("c", ["a"], seeds=(1, 2), deep={"x": (3,)})
    assert store.open_cohort("c", ["a"], seeds=(1, 2), deep={"x": (3,)}) == first
    for change in ({"base": []}, {"seeds": (1,)}, {"allow_mixed": True}):
        with pytest.raises(Invalid, match="open already"):
            store.open_cohort("c", **{"base": ["a"], "seeds": (1, 2), "deep": {"x": (3,)}, **change})
    assert len(store.cohorts()) == 1


@pytest.mark.parametrize("name", ["", " a", "a\nb", "x" * 201, "\x1b[2J"])
def test_a_cohort_needs_a_name_of_one_line(store, name):
    """Names with control characters, empty and overlong ones are refused, by both ways to open."""
    with pytest.raises(Invalid, match="cannot name a cohort"):
        store.open_cohort(name)
    with pytest.raises(Invalid, match="cannot name a cohort"):
        store.commit(FILES, trial=row(), cohort=name)
    assert store.cohorts() == []


def _nested() -> list:
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    return deep


@pytest.mark.parametrize("value", [float("nan"), {"x": [float("inf")]}, {1: 2}, object(), "\udcff", _nested()])
def test_metadata_that_json_cannot_hold_is_refused(store, value):
    """NaN, keys that are not text, objects, broken Unicode and bottomless lists never reach a note."""
    with pytest.raises(Invalid, match="JSON"):
        store.open_cohort("c", value=value)
    assert store.cohorts() == []
    assert store.history.problems() == []


def test_an_unknown_cohort_is_an_error_that_names_others(store):
    """Asking for a cohort that nobody opened raises."""
    store.open_cohort("wide")
    with pytest.raises(NotFound, match="wide"):
        store.cohort("wid")
    with pytest.raises(NotFound):
        store.log(cohort="wid")


def test_recording_on_the_users_own_commit(store, git, folder):
    """An ordinary commit becomes a snapshot when a row is recorded on it, and not before."""
    (folder / "f").write_text("1")
    git("add", "f")
    git("commit", "-q", "-m", "mine")
    head = git("rev-parse", "HEAD")
    assert store.snapshot("HEAD").recorded is False
    trial = store.record("HEAD", row("a"))
    assert store.snapshot("a").oid == head
    assert store.snapshot("HEAD").trials == (trial,)
    assert git("rev-parse", "HEAD") == head
    with pytest.raises(NotFound):
        store.record("HEAD~1", row("b"))


def test_text_that_is_not_unicode_is_refused_as_input(store):
    """Lone surrogates, as a broken command line gives them, are bad input and no disk error."""
    store.commit(FILES, trial=row("a"))
    with pytest.raises(NotFound):
        store.resolve("\udcff")
    with pytest.raises(NotFound):
        store.trial("a\udcff")
    with pytest.raises(Invalid):
        store.commit({"g": b"1"}, message="\udcff")
    with pytest.raises(Invalid):
        store.open_cohort("\udcff")
    with pytest.raises(InvalidTrial):
        row("b", notes="\udcff")
