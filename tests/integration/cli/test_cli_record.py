"""The commands that record: init, commit and record."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign, process

from gitlineage import InvalidTrial, LineageStore, Trial


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell in an empty folder."""
    folder.mkdir()
    return Shell(folder)


@pytest.fixture
def ready(shell: Shell) -> Shell:
    """A shell in a repository without trials."""
    shell("init", "--writer", "alice")
    return shell


def test_a_commit_starts_two_processes_of_git(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One lists the files, one reads what is new; whatever else there is to read, this process reads itself."""
    for number in range(3):
        (shell.folder / "train.py").write_text(f"lr = {number}\n")
        trace = tmp_path / f"trace-{number}"
        monkeypatch.setenv("GIT_TRACE", str(trace))
        done = process("commit", "-m", "another", "--metric", str(number), folder=shell.folder)
        assert done.returncode == 0, done.stderr
    assert trace.read_text().count("trace: built-in: git ") == 2, trace.read_text()


class TestInit:
    """Making a repository ready."""

    def test_says_what_it_did_and_what_comes_next(self, shell: Shell) -> None:
        """A fresh folder becomes a repository with a writer and a task."""
        said = shell("init", "--writer", "ada", "--metric", "val_bpb", "--lower-is-better", "--label", "bits")
        assert f"Made a git repository in {shell.folder}" in said
        assert "writer  ada" in said
        assert "val_bpb, lower is better, shown as bits" in said
        assert "Next: gitlineage run -m" in said and "gitlineage commit -m" in said

    def test_takes_the_repository_that_is_there(self, shell: Shell) -> None:
        """A second call keeps the writer and changes only what it is told."""
        shell("init", "--writer", "ada", "--metric", "acc", "--higher-is-better", "--label", "a")
        said = shell("init")
        assert said.startswith("Using the git repository")
        assert "ada" in said
        assert "acc, higher is better, shown as a" in said
        assert "acc, lower is better, shown as a" in shell("init", "--lower-is-better")

    def test_as_an_object(self, shell: Shell) -> None:
        """--json says the same."""
        (first,) = shell.objects("init", "--writer", "ada", "--metric", "acc", "--id-prefix", "a-")
        assert first["task"]["score_field"] == "acc"
        assert {**first, "task": None} == {
            "folder": str(shell.folder),
            "made": True,
            "writer": "ada",
            "id_prefix": "a-",
            "task": None,
            "changed": None,
            "remote": None,
            "campaign": "default",
            "pulled": 0,
        }
        assert shell.objects("init") == [{**first, "made": False}]

    def test_makes_up_a_writer_once(self, shell: Shell) -> None:
        """Without --writer a name is made and kept."""
        first = shell("init").splitlines()[1]
        assert first.startswith("writer")
        assert shell("init").splitlines()[1] == first

    def test_a_named_folder_gets_a_repository_of_its_own(self, shell: Shell) -> None:
        """Inside another repository too."""
        shell("init")
        assert "Made" in shell("init", "inner")
        assert (shell.folder / "inner" / ".git").is_dir()

    def test_bare(self, shell: Shell, git: Callable[..., str]) -> None:
        """--bare makes a repository without a working tree, which a second call takes."""
        shell("init", "store.git", "--bare")
        assert git("rev-parse", "--is-bare-repository", cwd=shell.folder / "store.git") == "true"
        assert "Using" in shell("init", "store.git")
        assert "there is no working tree" in Shell(shell.folder / "store.git").fails(1, "commit")


class TestCommit:
    """Recording a snapshot with its trial."""

    def test_initialises_a_folder_without_git_and_says_so(self, shell: Shell) -> None:
        """The first commit needs nothing before it."""
        shell.write(a="one\n")
        result = shell.run("commit", "-m", "first")
        assert result.exit_code == 0
        assert "made a git repository in" in result.stderr
        assert result.stdout.startswith("000  pending")

    def test_the_score_decides(self, ready: Shell) -> None:
        """With --metric alone the first is the baseline, then it is a keep or a discard, and it is said why."""
        assert "baseline: nothing to compare it with" in ready("commit", "-m", "a", "--metric", "2.0")
        said = ready("commit", "-m", "b", "--metric", "1.50")
        assert said.startswith("001  keep  core 1.50  (-0.500000)")
        assert "keep: it beats the best so far, 000 with 2.0" in said
        assert "discard: it does not beat the best so far, 001 with 1.50" in ready("commit", "--metric", "1.5")

    @pytest.mark.parametrize("status", ["crash", "size_blocked", "discard"])
    def test_only_a_keep_or_a_baseline_judges(self, ready: Shell, status: str) -> None:
        """Whatever else has a score is no best so far: what follows is the baseline, and is held against nothing."""
        ready.commit("--metric", "0.9", "--status", status)
        first = ready.commit("--metric", "1.2")
        assert first["status"] == "baseline"
        assert (first["row"]["baseline_exp"], first["row"]["delta_vs_best"]) == ("", "")
        second = ready.commit("--metric", "1.1")
        assert (second["status"], second["row"]["baseline_exp"]) == ("keep", "001")

    def test_higher_may_be_better(self, shell: Shell) -> None:
        """The task says in which direction."""
        shell("init", "--metric", "acc", "--higher-is-better")
        statuses = [shell.commit("--metric", metric)["status"] for metric in ("0.5", "0.6", "0.55")]
        assert statuses == ["baseline", "keep", "discard"]

    def test_without_a_score_it_waits(self, ready: Shell) -> None:
        """Without --metric and --status the trial is pending, and it is said how to go on."""
        said = ready("commit", "-m", "later")
        assert "pending" in said
        assert "gitlineage record 000 --status keep --metric" in said

    def test_a_status_that_is_given_stands(self, ready: Shell) -> None:
        """A better score does not overrule --status."""
        ready.commit("--metric", "2")
        assert ready.commit("--metric", "1", "--status", "disqualified")["status"] == "disqualified"

    def test_the_score_keeps_its_text(self, ready: Shell) -> None:
        """1.0710 stays 1.0710, and a negative number is no option."""
        assert ready.commit("--metric", "1.0710")["row"]["core_metric"] == "1.0710"
        assert ready.commit("--metric", "-0.5")["score"] == -0.5

    @pytest.mark.parametrize(
        "words",
        [
            ["--parents", "002", "000", "001"],
            ["--parents", "002", "--parents", "000", "--parents", "001"],
            ["--parents", "002,000,001"],
            ["--parents", "002,000", "001"],
            ["--parents", "002,000", "--parents", "001"],
            ["--parents=002", "000,001"],
            ["--parents", "002", "000", "002", "001"],
        ],
    )
    def test_parents_in_every_spelling(self, ready: Shell, words: list[str]) -> None:
        """All spellings of several parents keep their order; a repeated one counts once."""
        oids = [ready.commit("-m", str(number))["oid"] for number in range(3)]
        made = ready.commit(*words, "-m", "child")
        assert made["parents"] == [oids[2], oids[0], oids[1]]
        assert made["row"]["parent_exp"] == "002"

    def test_an_id_may_hold_a_comma(self, ready: Shell) -> None:
        """A trial that is named with a comma is not taken apart."""
        odd = ready.commit("--exp-id", "a,b")["oid"]
        assert ready.commit("--parents", "a,b")["parents"] == [odd]

    def test_derived_from_head(self, ready: Shell, git: Callable[..., str]) -> None:
        """Where nothing is recorded yet it is derived from HEAD, if there is one; --root says from nothing."""
        git("commit", "--allow-empty", "-m", "mine")
        assert ready.commit()["parents"] == [git("rev-parse", "HEAD")]
        assert ready.commit("--root")["parents"] == []

    def test_leaves_the_users_state_alone(self, ready: Shell, git: Callable[..., str]) -> None:
        """HEAD, branches, index and files are what they were."""
        ready.write(a="one\n")
        git("add", "a.txt")
        git("commit", "-m", "mine")
        ready.write(a="two\n", b="new\n")
        before = [git("rev-parse", "HEAD"), git("for-each-ref", "refs/heads"), git("status", "--porcelain")]
        made = ready.commit("--metric", "1")
        assert git("show", f"{made['oid']}:b.txt") == "new"
        assert [git("rev-parse", "HEAD"), git("for-each-ref", "refs/heads"), git("status", "--porcelain")] == before

    def test_content_from_elsewhere(self, ready: Shell, tmp_path: Path, git: Callable[..., str]) -> None:
        """--from takes a folder or anything that names a snapshot or a commit."""
        other = tmp_path / "other"
        other.mkdir()
        (other / "c.txt").write_text("c\n")
        first = ready.commit("--from", other)
        assert git("ls-tree", "--name-only", first["tree"]) == "c.txt"
        assert ready.commit("--from", "000", "-m", "again")["tree"] == first["tree"]
        assert ready.commit("--from", first["oid"][:10], "-m", "and again")["tree"] == first["tree"]

    def test_a_text_that_is_an_id_and_a_folder_is_the_id(self, ready: Shell, git: Callable[..., str]) -> None:
        """The command and the library read it alike, the command says so, and ``./`` in front makes it the folder."""
        (ready.folder / "a.txt").write_text("a\n")
        first = ready.commit()
        (ready.folder / "000").mkdir()
        (ready.folder / "000" / "c.txt").write_text("c\n")
        done = ready.run("commit", "--from", "000", "-m", "again", "--json")
        assert json.loads(done.stdout)["tree"] == first["tree"]
        assert "--from takes the id or revision 000; the folder of that name is ./000" in done.stderr
        (ready.folder / "a.txt").write_text("changed\n")
        folder = ready.commit("--from", "./000", "-m", "the folder")
        assert git("ls-tree", "--name-only", folder["tree"]) == "c.txt"

    def test_one_object_as_json(self, ready: Shell) -> None:
        """--json prints one object with ids, and with every column of the row."""
        first = ready.commit("--field", "seed=7", "--field", "job_name=j=1", "--domain", "d", "--notes", "n")
        assert {"oid", "tree", "parents", "exp_id", "cohort", "status", "writer", "roles"} <= set(first)
        assert (first["exp_id"], first["cohort"], first["status"]) == ("000", None, None)
        assert first["row"]["seed"] == "7"
        assert first["row"]["job_name"] == "j=1"
        assert first["row"]["domain"] == "d"

    def test_cohort_and_roles(self, ready: Shell, git: Callable[..., str]) -> None:
        """A new cohort is opened on the parents; an inspiration is named and gives no content."""
        oids = [ready.commit("-m", str(number))["oid"] for number in range(3)]
        made = ready.commit(
            "--parents", "000", "001", "--role", "001=mate", "--role", "002=inspiration", "--cohort", "pairs"
        )
        assert made["cohort"] == "pairs"
        assert made["roles"] == {oids[1]: "mate"}
        assert ready.objects("cohort", "show", "pairs")[0]["base"] == oids[:2]
        assert f"Lineage-Parent: {oids[2]} role=inspiration" in git("show", "-s", "--format=%B", made["oid"])

    def test_the_message_may_differ(self, ready: Shell, git: Callable[..., str]) -> None:
        """The commit's subject is the hypothesis unless --message says otherwise."""
        made = ready.commit("-m", "why", "--message", "what")
        assert git("show", "-s", "--format=%s", made["oid"]) == "what"
        assert made["row"]["hypothesis"] == "why"

    def test_the_environment_says_who_commits(self, folder: Path, git: Callable[..., str]) -> None:
        """Git's own variables name the author, one by one."""
        folder.mkdir()
        shell = Shell(folder, GIT_AUTHOR_NAME="Grace", GIT_COMMITTER_EMAIL="grace@example.org")
        assert git("show", "-s", "--format=%an <%ae>", shell.commit()["oid"]) == "Grace <grace@example.org>"


class TestRecord:
    """Recording a result on what is there."""

    def test_completes_a_trial_that_waits(self, ready: Shell) -> None:
        """The result goes into the waiting row, which keeps its hypothesis."""
        ready("commit", "-m", "later")
        said = ready("record", "000", "--metric", "1.5")
        assert said.startswith("000  baseline  core 1.5")
        (only,) = ready.objects("log")
        assert only["row"]["hypothesis"] == "later"

    def test_works_on_the_users_own_commits(self, ready: Shell, git: Callable[..., str]) -> None:
        """HEAD becomes a snapshot by being recorded."""
        git("commit", "--allow-empty", "-m", "mine")
        made = ready.objects("record", "HEAD", "--status", "baseline", "--metric", "3")[0]
        assert made["oid"] == git("rev-parse", "HEAD")

    def test_revising_keeps_the_old_row(self, ready: Shell) -> None:
        """A row with a result changes only with --revise, and both versions are in its history."""
        ready.commit("--metric", "2", "--exp-id", "x")
        refused = ready.fails(1, "record", "x", "--exp-id", "x", "--metric", "3", "--status", "baseline")
        assert "--revise" in refused
        ready("record", "x", "--exp-id", "x", "--metric", "3", "--revise")
        (shown,) = ready.objects("show", "x")
        assert shown["score"] == 3
        assert [entry["row"]["core_metric"] for entry in shown["history"]] == ["2", "3"]

    def test_the_best_that_is_no_longer(self, ready: Shell) -> None:
        """What ``best`` meant before is revised and shown, although another one is the best afterwards."""
        ready.commit("--metric", "2")
        ready.commit("--metric", "1")
        assert ready("record", "best", "--revise", "--status", "disqualified").startswith("001  disqualified")
        assert ready.objects("best")[0]["exp_id"] == "000"

    def test_replicates(self, ready: Shell) -> None:
        """A second result on a snapshot is a trial of its own."""
        ready.commit("--metric", "2")
        assert ready.objects("record", "000", "--metric", "1.9", "--replicate")[0]["exp_id"] == "001"
        assert "000 (+1)" in ready("descendants", "--leaves")


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, ["commit", "--parents", "nope", "-m", "x"], "'nope'"),
        (1, ["commit", "--exp-id", "000", "-m", "x"], "is taken"),
        (2, ["commit", "--exp-id", "a\x1b[2J"], "control characters"),
        (2, ["commit", "--parents", "000", "--role", "000=boss"], "none of base, mate"),
        (1, ["commit", "--from", "nothing-there"], "neither a folder"),
        (1, ["commit", "--parents", "003", "--cohort", "ideas"], "was opened on"),
        (1, ["record", "nope", "--status", "keep"], "'nope'"),
        (1, ["record", "000"], "--status"),
        (2, ["commit", "--field", "status=great"], "must be one of keep"),
        (2, ["init", "--writer", "a b"], "cannot name a writer"),
        (2, ["init", "--metric", ""], "it needs a name"),
        (2, ["init", "--id-prefix", "a b"], "must not hold blanks"),
        (2, ["commit", "--status", "great"], "none of keep"),
        (2, ["commit", "--metric", "abc"], "finite number"),
        (2, ["commit", "--metric", "nan"], "finite number"),
        (2, ["record", "000", "--metric", "inf"], "finite number"),
        (2, ["commit", "--parents"], "at least one value"),
        (2, ["commit", "--parents", "-m", "x"], "at least one value"),
        (2, ["commit", "--root", "--parents", "000"], "--parents"),
        (2, ["commit", "--field", "seed"], "NAME=VALUE"),
        (2, ["commit", "--role", "mate"], "PARENT=ROLE"),
        (2, ["commit", "--exp-id", ""], "must not be empty"),
        (2, ["record"], "missing argument"),
        (2, ["commit", "--bogus"], "no such option"),
    ],
)
def test_bad_calls_write_nothing(folder: Path, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why, and leaves the store as it was."""
    shell = campaign(folder)
    before = shell("log", "--json")
    assert reason in shell.fails(code, *words)
    assert shell("log", "--json") == before


@pytest.mark.parametrize("blank", ["", "\n", " \n\t\n ", "\r\n", "\u2028", "\x1f"])
def test_a_blank_message_is_none(folder: Path, git: Callable[..., str], blank: str) -> None:
    """A message or hypothesis without a word is as if it were not given; nothing is recorded under a trailer's name."""
    shell = campaign(folder)
    shell.write(a="another\n")
    shell("commit", "--message", blank, "-m", "an idea", "--metric", "1.0")
    shell.write(a="one more\n")
    shell("commit", "--message", blank, "-m", blank, "--metric", "1.0")
    oids = [shell.objects("show", id)[0]["oid"] for id in ("005", "006")]
    subjects = [git("log", "-1", "--format=%s", oid) for oid in oids]
    assert subjects == ["an idea", "Trial 006"]
    with LineageStore(folder) as store:
        with store.batch(blank):
            store.append(Trial("007", status="crash"))
        assert git("log", "-1", "--format=%s", "refs/notes/lineage/alice").startswith("Record ")
        assert store.snapshot("006").subject == "Trial 006"
        assert store.verify() == []
    refused = shell.run("retract", "006", "-m", blank)
    assert refused.exit_code != 0
    assert shell.objects("show", "006")[0]["retracted"] == {}


def test_a_revision_is_of_the_row_that_is_named(folder: Path) -> None:
    """With another row waiting on the same snapshot, and with several rows there, the exp id says which is meant."""
    shell = Shell(folder)
    folder.mkdir()
    (folder / "a").write_text("1\n")
    shell("init", "--metric", "loss")
    shell("commit", "-m", "a", "--metric", "3")
    shell("commit", "-m", "b")
    shell("record", "000", "--metric", "2", "--revise")
    assert [(row["exp_id"], row["status"], row["score"]) for row in shell.objects("log")] == [
        ("001", None, None),
        ("000", "baseline", 2.0),
    ]
    shell("record", "001", "--metric", "2.5")
    shell("record", "exp_001", "--status", "crash", "--revise")
    assert [row["status"] for row in shell.objects("log")] == ["crash", "baseline"]


def test_scores_that_are_worlds_apart(folder: Path) -> None:
    """Noise that no number holds refuses a keep and ends nothing; a whole number over all floats is no score."""
    shell = Shell(folder)
    folder.mkdir()
    (folder / "a").write_text("1\n")
    shell("init")
    shell("commit", "-m", "a", "--metric", "1")
    shell("record", "000", "--replicate", "--metric", "1e160", "--status", "discard")
    (folder / "a").write_text("2\n")
    assert shell.commit("-m", "b", "--metric", "0.5")["status"] == "discard"
    shell("blame", "best")
    with pytest.raises(InvalidTrial, match="finite"):
        Trial(core_metric=10**400)


def test_a_file_name_that_is_no_text(folder: Path) -> None:
    """Its bytes are told in JSON as they are in Python: as lone surrogates."""
    shell = Shell(folder)
    folder.mkdir()
    (folder / os.fsdecode(b"\xff.py")).write_text("1\n")
    shell.commit("-m", "a", "--metric", "1")
    assert "\\udcff.py" in shell("show", "best", "--json")


def test_a_revised_score_has_a_difference_of_its_own(folder: Path) -> None:
    """What the row said of its earlier score goes; against the best of now where that is another row."""
    shell = Shell(folder)
    folder.mkdir()

    def rows() -> dict[str, str]:
        return {each["exp_id"]: each["row"]["delta_vs_best"] for each in shell.objects("log")}

    for number, score in enumerate(("1.0", "0.5", "0.7")):
        (folder / "a").write_text(f"{number}\n")
        shell.commit("-m", "x", "--metric", score)
    assert rows()["002"] == "+0.200000"
    shell("record", "002", "--metric", "0.8", "--revise")
    assert rows()["002"] == "+0.300000"
    shell("record", "001", "--metric", "0.4", "--revise")
    assert rows()["001"] == ""
