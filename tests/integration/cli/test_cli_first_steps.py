"""What a new user meets: slips that are refused in one line which says what to type, and guesses that are said."""

import shlex
from pathlib import Path

import pytest
from clones import git
from command_line import Shell, campaign

from gitlineage import LineageStore, Trial
from gitlineage.errors import InvalidTrial
from gitlineage.text import to_type


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(tmp_path / "repo")


@pytest.mark.parametrize("words", [["log"], ["status"], ["import", "tsv", __file__], ["commit", "-m", "x"]])
def test_a_folder_that_is_not_there(tmp_path: Path, words: list[str]) -> None:
    """One line names it, whatever the command is, and what makes it."""
    said = Shell(tmp_path / "no such").fails(1, *words)
    assert said == f"error: no folder at {tmp_path}/no such; `gitlineage init '{tmp_path}/no such'` makes one"
    assert not (tmp_path / "no such").exists()


TABLES = {
    "no table": "words\n",
    "no such metric": "exp_id\tstatus\tloss\n000\tkeep\t1\n",
    "an id that is there twice": "exp_id\tstatus\tcore_metric\n000\tkeep\t1\n000\tkeep\t2\n",
}


@pytest.mark.parametrize("why", TABLES)
def test_a_table_that_is_refused_leaves_nothing_behind(tmp_path: Path, why: str) -> None:
    """No repository is made for it, and none is said to be; one that was there stays."""
    (tmp_path / "rows.tsv").write_text(TABLES[why])
    words = ["import", "tsv", tmp_path / "rows.tsv", *(["--metric", "acc"] if why == "no such metric" else [])]
    done = Shell(tmp_path).run(*words)
    assert done.exit_code and "made a git repository" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.tsv"]
    git(tmp_path, "init", "-q")
    assert Shell(tmp_path).run(*words).exit_code
    assert (tmp_path / ".git").is_dir()


def test_a_table_that_is_taken_makes_a_repository(tmp_path: Path) -> None:
    """And says so."""
    (tmp_path / "rows.tsv").write_text("exp_id\tstatus\tcore_metric\n000\tkeep\t1\n001\tkeep\t2\n")
    assert "made a git repository" in Shell(tmp_path).run("import", "tsv", tmp_path / "rows.tsv").stderr
    assert [each["exp_id"] for each in Shell(tmp_path).objects("log")] == ["001", "000"]


@pytest.mark.parametrize("exp_id", ["-x", "../..", "a@b", "a/../b", "/a", "."])
def test_ids_that_no_command_could_name(shell: Shell, exp_id: str) -> None:
    """They are refused in one line where they are recorded; elsewhere's are reached with their writer."""
    before = git(shell.folder, "for-each-ref")
    assert "must not" in shell.fails(1, "commit", f"--exp-id={exp_id}", "--metric", "1", "--new")
    assert "must not" in shell.fails(1, "record", "000", f"--exp-id={exp_id}", "--metric", "1", "--replicate")
    with LineageStore(shell.folder) as store, pytest.raises(InvalidTrial):
        store.append(Trial(exp_id=exp_id, status="keep", core_metric=1))
    assert git(shell.folder, "for-each-ref") == before


def test_others_odd_ids_are_reached_with_their_writer(shell: Shell, tmp_path: Path) -> None:
    """A table may hold such ids, and a store of before may; a label is what names them."""
    (tmp_path / "rows.tsv").write_text("exp_id\tstatus\tloss\n-x\tkeep\t1\na@b\tkeep\t2\n")
    shell("import", "tsv", tmp_path / "rows.tsv")
    for exp_id in ("-x", "a@b"):
        assert f"Trial {exp_id}" in shell("show", "--", f"{exp_id}@alice")


@pytest.mark.parametrize("column", ["core_metric", "train_s", "loss"])
def test_text_is_no_number(shell: Shell, column: str) -> None:
    """A column of numbers takes no text, nor does the one that ranks."""
    said = shell.fails(2, "commit", "--new", "-m", "x", "--field", f"{column}=good")
    assert f"{column} takes a number, not 'good'" in said
    assert shell.commit("--new", "-m", "x", "--field", f"{column}=1e-3")


def test_a_search_with_nothing_between(shell: Shell) -> None:
    """It says that the command was not run, in JSON too."""
    said = shell.run("bisect", "000", "001", "--", "no-such-program")
    assert "first bad: 001, for nothing lies between it and the good one; the command was not run" in said.stdout
    told = shell.run("bisect", "000", "001", "--json", "--", "no-such-program")
    assert '"tested": 0' in told.stdout.replace('":0', '": 0') and "the command was not run" in told.stderr


def test_a_trial_that_waits_has_not_worked_out_yet(shell: Shell) -> None:
    """It is pending among what was tried, and null in JSON; what worked alone leaves it out."""
    shell.commit("--new", "--parents", "000", "-m", "waits")
    steps = {each["to_id"]: each["success"] for each in shell.objects("relation", "history", "003", "--siblings")}
    oid = shell.objects("show", "005")[0]["oid"]
    assert steps[oid] is None and True in steps.values()
    assert "pending" in shell("relation", "history", "003", "--siblings")
    assert oid not in {
        each["to_id"] for each in shell.objects("relation", "history", "003", "--siblings", "--successful")
    }


def test_a_derived_ref_that_could_not_be_set(shell: Shell) -> None:
    """Where git's lock was in the way, `verify` says what to type, and that mends it."""
    lock = shell.folder / ".git" / "refs" / "lineage" / "best.lock"
    lock.touch()
    shell.commit("--new", "--parents", "003", "-m", "better", "--metric", "0.5", "--status", "keep")
    lock.unlink()
    said = shell.run("maintain", "verify")
    assert said.exit_code == 1 and "refs/lineage/best should be" in said.stdout
    assert "type: gitlineage maintain reindex" in said.stdout
    shell("maintain", "reindex")
    shell("maintain", "verify")


def test_a_setting_that_is_none_is_complained_about_at_once(shell: Shell) -> None:
    """Nobody has to be waited for before a wrong limit is named."""
    git(shell.folder, "config", "lineage.lockTimeout", "abc")
    said = shell.fails(1, "commit", "--new", "-m", "x", "--metric", "1")
    assert "git config lineage.lockTimeout is 'abc'; it takes a number of seconds above 0" in said
    assert len(shell.objects("log")) == 5


def test_names_that_windows_cannot_have(shell: Shell) -> None:
    """A commit says in one line that they cannot be checked out."""
    for name in ("aux.py", "ends.", "fine.py"):
        (shell.folder / name).write_text("x\n")
    said = shell.run("commit", "-m", "odd names", "--metric", "1").stderr
    assert said.count("Windows cannot have these names, so no checkout writes them: aux.py, ends.\n") == 1


def test_a_clone_that_records_before_it_pulled(shell: Shell, tmp_path: Path) -> None:
    """By the default task, for it knows no other: one line says so, once, and what takes the others' in."""
    git(shell.folder, "add", "-A")
    git(shell.folder, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "code")
    for name in ("plain", "told"):
        git(tmp_path, "clone", "-q", str(shell.folder), name)
    plain = Shell(tmp_path / "plain")
    said = plain.run("commit", "-m", "mine", "--metric", "1").stderr
    assert "recorded by the default task (core_metric (lower is better" in said
    assert "`gitlineage pull origin` takes what others recorded" in said
    (plain.folder / "a.txt").write_text("again\n")
    assert "default task" not in plain.run("commit", "-m", "more", "--metric", "1").stderr
    told = Shell(tmp_path / "told")
    told("pull", "origin")
    (told.folder / "a.txt").write_text("again\n")
    assert "default task" not in told.run("commit", "-m", "mine", "--metric", "1").stderr


def test_hints_can_be_typed(shell: Shell) -> None:
    """What they say to type is quoted for a shell wherever a name needs it."""
    shell.commit("--new", "--root", "--exp-id", "a b; c", "-m", "odd", "--metric", "9")
    said = shell.run("diff", "a b; c").stderr
    assert "`gitlineage show 'a b; c'`" in said
    assert shlex.split(to_type("git", "fetch", "it's", "", "$x")) == ["git", "fetch", "it's", "$x"]


def test_a_number_without_its_zeros(shell: Shell) -> None:
    """Where one trial alone can be meant it is taken, and said; where several can, the refusal names them."""
    done = shell.run("show", "3", "--json")
    assert '"exp_id":"003"' in done.stdout.replace(" ", "")
    assert done.stderr.count("3 is taken for 003") == 1
    shell.commit("--new", "--parents", "000", "-m", "x", "--metric", "9", "--exp-id", "0003")
    assert "no snapshot or trial '3'" in shell.fails(1, "show", "3")
    assert "no snapshot or trial '77'" in shell.fails(1, "show", "77")
    assert shell.objects("show", "003")[0]["exp_id"] == "003"


def test_before_the_first_result(folder: Path) -> None:
    """`best` says by every command that there is none and what brings one; an empty log says how to begin."""
    shell = Shell(folder)
    shell("init", "--metric", "loss", "--lower-is-better")
    said = shell.run("log")
    assert said.stdout == ""
    assert said.stderr == "note: no trial is here yet: `gitlineage run -m WHY -- COMMAND` makes one\n"
    git(folder, "remote", "add", "origin", "/nowhere")
    assert "`gitlineage pull` brings those of a remote" in shell.run("log").stderr
    shell.commit("-m", "waits")
    assert "waiting  000" in shell("status")
    assert shell.objects("status")[0]["pending"] == 1
    for words in (["show"], ["diff"], ["restore"], ["parents"], ["blame"], ["accept"]):
        assert "there is no best yet: no result was kept" in shell.fails(1, *words, "best"), words
    assert "`gitlineage record 000 --metric NUMBER` brings what one waits for" in shell.fails(1, "best")
    shell("record", "000", "--metric", "1")
    assert "there was no trial at 2020-01-01 that could be the best" in shell.fails(1, "best", "--at", "2020-01-01")
    assert "nonsense" in shell.fails(1, "best", "--at", "nonsense")
    assert shell.run("log", "-n", "0").stderr == "note: nothing to list\n"
    assert "missing argument 'PATH...'; for example" in shell.fails(2, "import")
    assert len(shell("events", "-n", "1").splitlines()) == 1
    assert shell.objects("events", "-n", "2") == shell.objects("events")[-2:]
