"""The commands that look: log, show and diff."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign, process

from gitlineage import LineageStore

ESCAPES = "red \x1b[31m \x9b1m bell\x07 \u202eright"


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


class TestLog:
    """Listing trials."""

    def test_one_plain_line_for_each_trial(self, shell: Shell) -> None:
        """Newest first, without a heading, nothing cut."""
        lines = shell("log").splitlines()
        assert [line.split()[0] for line in lines] == ["004", "003", "002", "001", "000"]
        assert lines[1].split() == [
            "003",
            *lines[1].split()[1:2],
            "keep",
            "1.10",
            "-0.050000",
            "001,002",
            "cross",
            "them",
        ]

    def test_one_object_for_each_trial(self, shell: Shell) -> None:
        """--json gives ids, place and every column of the row."""
        newest, child, *_ = shell.objects("log")
        assert newest["status"] == "crash"
        assert child["row"]["loss"] == "1.10"
        assert child["score"] == 1.1
        assert len(child["parents"]) == 2
        assert {"writer", "clock", "saw", "dangling", "roles", "tree"} <= set(child)
        assert "train_s" in child["row"]

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (["-n", "2"], ["004", "003"]),
            (["-n", "0"], []),
            (["-n", "-1"], ["004", "003", "002", "001", "000"]),
            (["--cohort", "ideas"], ["002", "001"]),
            (["--status", "keep"], ["003", "001"]),
            (["--status", "crash", "--status", "baseline"], ["004", "000"]),
            (["--status", "crash,baseline"], ["004", "000"]),
            (["--specialist", "bold"], ["004"]),
            (["--status", "pending"], []),
            (["--dangling"], []),
        ],
    )
    def test_filters(self, shell: Shell, words: list[str], found: list[str]) -> None:
        """Each filter leaves what it says."""
        assert [each["id"] for each in shell.objects("log", *words)] == found

    @pytest.mark.parametrize(
        ("words", "total"), [(["log", "-n"], 30), (["search", "idea", "-n"], 27), (["leaderboard", "-k"], 27)]
    )
    def test_how_many(self, shell: Shell, words: list[str], total: int) -> None:
        """A number means the same everywhere: 0 is none, -1 is all, of more than twenty too."""
        for number in range(25):
            shell.commit("--parents", "000", "-m", f"idea {number}", "--status", "keep", "--metric", number + 2)
        assert [len(shell.objects(*words, number)) for number in (0, 1, 20, -1)] == [0, 1, 20, total]

    def test_a_trial_that_waits(self, shell: Shell) -> None:
        """A pending trial is in the log and is found by that word."""
        shell("commit", "-m", "later")
        assert [each["id"] for each in shell.objects("log", "--status", "pending")] == ["005"]
        assert "pending" in shell("log", "-n", "1")

    def test_graph(self, shell: Shell) -> None:
        """The drawing is git's, with both parents of a crossover and nothing but snapshots."""
        drawn = shell("log", "--graph").splitlines()
        assert drawn[0].startswith("* 004 ")
        assert drawn[1].startswith("*   003 ")
        assert drawn[2] == "|\\"
        assert drawn[3].startswith("| * 002 ")
        assert drawn[4].startswith("* | 001 ")
        assert drawn[5] == "|/"
        assert drawn[6].startswith("* 000 ")
        assert len(drawn) == 7

    def test_graph_of_some(self, shell: Shell) -> None:
        """Replicates stand below each other, and parents that are not shown are left out."""
        shell("record", "003", "--replicate", "--status", "discard", "--metric", "1.11")
        drawn = shell("log", "--graph", "-n", "3", "--status", "keep", "--status", "discard").splitlines()
        assert [line.split()[:2] for line in drawn] == [["*", "005"], ["|", "003"], ["*", "002"]]

    def test_an_empty_store(self, folder: Path) -> None:
        """Nothing is printed and nothing is wrong."""
        shell = Shell(folder)
        shell("init", folder)
        assert (shell("log"), shell("log", "--json"), shell("log", "--graph")) == ("", "", "")

    def test_text_of_trials_cannot_command_the_terminal(self, shell: Shell) -> None:
        """Control characters are stripped from lines and escaped in JSON."""
        shell("commit", "-m", ESCAPES, "--notes", ESCAPES, "--metric", "1")
        for words in (
            ["log"],
            ["log", "--graph"],
            ["show", "005"],
            ["descendants", "--leaves"],
            ["log", "--json"],
            ["show", "005", "--json"],
        ):
            printed = shell(*words)
            assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(printed), words
        assert shell.objects("log")[0]["row"]["hypothesis"] == ESCAPES


class TestShow:
    """Showing one snapshot."""

    def test_everything_about_a_snapshot(self, shell: Shell) -> None:
        """Names, kin, cohort, columns, files and history are all there."""
        shown = shell("show", "003")
        for words in (
            "003, best, refs/lineage/exp/003",
            "mate",
            "cross them",
            "b.txt | 1 +",
            "files against 001",
            "history",
        ):
            assert words in shown
        sibling = shell("show", "001")
        assert re.search(r"^siblings +002$", sibling, re.MULTILINE)
        assert re.search(r"^children +003$", sibling, re.MULTILINE)

    def test_as_one_object(self, shell: Shell) -> None:
        """--json has the same."""
        (shown,) = shell.objects("show", "003")
        assert shown["names"] == ["003", "best", "refs/lineage/exp/003"]
        assert shown["files"] == ["a.txt", "b.txt"]
        assert shown["roles"] == {shown["parents"][1]: "mate"}
        assert [entry["type"] for entry in shown["history"]] == ["trial"]

    def test_its_history_is_told_in_the_words_of_audit(self, shell: Shell) -> None:
        """Each event on the snapshot is a line that says when, who and what, whatever kind of event it is."""
        shell("relation", "add", "003", "depends_on", "000")
        shell("catalog", "set", "003", "name=lexer")
        shell("record", "003", "--revise", "--exp-id", "003", "--notes", "again")
        told = shell("show", "003").partition("\nhistory\n")[2].splitlines()
        said = [each["what"] for each in shell.objects("events", "003") if each["own"]]
        assert [line.split("  ", 2)[1:] for line in told] == [["alice", what] for what in said]
        assert "relation 003 depends_on 000 added" in said

    def test_a_root_and_an_ordinary_commit(self, shell: Shell, git: Callable[..., str]) -> None:
        """A root lists its files; a commit that nobody recorded is shown as such."""
        assert "a.txt  4 bytes" in shell("show", "000")
        git("commit", "--allow-empty", "-m", "mine")
        assert "recorded by  nobody" in shell("show", "HEAD")
        assert shell.objects("show", "HEAD")[0]["recorded"] is False

    def test_malformed_lines_are_told(self, shell: Shell, git: Callable[..., str]) -> None:
        """A foreign line in a note is skipped with a warning that names the commit, and the rest is shown."""
        (best,) = shell.objects("best")
        git("notes", "--ref", "lineage/alice", "append", "-m", "not an event", best["oid"])
        for _ in range(2):
            result = shell.run("show", "best")
            assert result.exit_code == 0
            assert f"skipped a malformed line in the note of alice on {best['oid'][:12]}: " in result.stderr
            assert result.stderr.count("skipped") == 1
            assert "cross them" in result.stdout

    def test_what_its_agent_saw(self, shell: Shell) -> None:
        """The session that a prompt was recorded in is named by the next trial."""
        recorded = shell.run("prompt", "bold", "--record").stderr.split()[-1]
        shell("commit", "--specialist", "bold", "-m", "after reading", "--metric", "1")
        assert recorded in shell("show", "005")


class TestDiff:
    """Showing what was edited."""

    def test_piped_it_is_what_git_prints(self, shell: Shell, git: Callable[..., str]) -> None:
        """Byte for byte, a missing final newline and binary files too."""
        (shell.folder / "raw.bin").write_bytes(b"\0\1")
        shell.write(a="no newline at the end", c="caf\u00e9\n")
        made = shell.commit("--parents", "003", "-m", "odd files")
        ours = process("diff", "005", folder=shell.folder).stdout
        words = ["git", "diff-tree", "-r", "-p", "--find-renames", made["parents"][0], made["oid"]]
        theirs = subprocess.run(words, cwd=shell.folder, capture_output=True, check=True).stdout
        assert ours == theirs

    def test_against_any_parent_and_between_two(self, shell: Shell) -> None:
        """--parent counts from one; two ids are compared left to right."""
        assert "-two" in shell("diff", "003") and "+three" in shell("diff", "003")
        assert shell("diff", "003", "--parent", "2").count("diff --git") == 1
        assert "-one" in shell("diff", "000", "002")
        assert "-three" in shell("diff", "002", "000")
        assert "a.txt | 2 +-" in shell("diff", "000", "002", "--stat")

    def test_as_an_object(self, shell: Shell) -> None:
        """--json names both trees and holds the patch."""
        (found,) = shell.objects("diff", "000", "002")
        assert found["patch"] == shell("diff", "000", "002")
        assert found["old"] == shell.objects("show", "000")[0]["tree"]

    def test_a_root_changed_nothing(self, shell: Shell) -> None:
        """Nothing is printed, and a note says why."""
        result = shell.run("diff", "000")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "has no parent" in result.stderr


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, ["show", "nope"], "'nope'"),
        (1, ["show", ""], "''"),
        (1, ["diff", "000", "nope"], "'nope'"),
        (1, ["diff", "003", "--parent", "3"], "no parent 3"),
        (1, ["log", "--cohort", "nope"], "no cohort 'nope'"),
        (2, ["diff", "003", "--parent", "0"], "greater than or equal to 1"),
        (2, ["diff", "000", "001", "--parent", "1"], "second id"),
        (2, ["log", "--status", "great"], "none of keep"),
        (2, ["log", "-n", "-2"], "greater than or equal to -1"),
        (2, ["log", "-n", "many"], "integer"),
        (2, ["log", "--graph", "--json"], "excludes --json"),
    ],
)
def test_bad_calls(folder: Path, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why."""
    assert reason in campaign(folder).fails(code, *words)


def test_without_a_repository(tmp_path: Path) -> None:
    """Looking never makes a repository; the error says what does."""
    for words in (
        ["log"],
        ["show", "x"],
        ["diff", "x"],
        ["best"],
        ["descendants", "--leaves"],
        ["cohort", "list"],
        ["prompt", "x"],
        ["maintain", "reindex"],
    ):
        assert "`gitlineage init` makes one" in Shell(tmp_path).fails(1, *words)
    assert list(tmp_path.iterdir()) == []


def test_show_names_what_was_rewritten(folder: Path) -> None:
    """Both ends of an amend are shown, and a result that goes to the original is told as such."""
    shell = campaign(folder)
    old = shell.objects("show", "003")[0]["oid"]
    with LineageStore(folder, create=False) as store:
        new = store.commit(old, ["001"], message="cross them, in other words").oid
        store.link_rewrite(new, old, "amend")
    (shown,) = shell.objects("show", new)
    assert (shown["rewritten_from"], shown["rewritten_as"]) == ([old], [])
    assert shown["history"][-1]["type"] == "rewrite"
    assert shell.objects("show", "003")[0]["rewritten_as"] == [new]
    text = shell("show", new)
    assert "rewritten from  003" in text
    assert f"  alice  {new[:12]} made from 003 by amend" in text


@pytest.mark.parametrize("named", ["deadbeef" * 5, "a blob"])
def test_a_trailer_that_names_no_commit_here(shell: Shell, git: Callable[..., str], tmp_path: Path, named: str) -> None:
    """Another program's trailer may name anything: whoever looks at the snapshot says so or passes over it."""
    oid = git("hash-object", "-w", "a.txt") if named == "a blob" else named
    trailers = f"Lineage-Parent: {oid} role=inspiration\nLineage-Parent: {oid} role=base"
    tree, parent = git("rev-parse", "refs/lineage/exp/000^{tree}"), git("rev-parse", "refs/lineage/exp/000")
    made = git("commit-tree", tree, "-p", parent, "-m", "foreign", "-m", trailers)
    shell("record", made, "--status", "discard", "--metric", "3")
    shown = shell("show", made)
    assert re.search(rf"named +{oid[:8]} +inspiration +\(no commit here\)", shown)
    assert oid in shell.objects("show", made)[0]["inspirations"]
    for words in (
        ["log", "--graph"],
        ["ancestors", made],
        ["diff", "000", made],
        ["prompt", "me"],
        ["relation", "infer"],
    ):
        shell(*words)
    for words in (
        ["graph", made],
        ["blame", made],
        ["events", made],
        ["maintain", "verify"],
        ["checkout", made, tmp_path / "out"],
    ):
        shell(*words)


def test_a_graph_says_that_it_is_cut(folder: Path) -> None:
    """Where parents of what is drawn are not, a note says how many trials are left out; a whole graph needs none."""
    shell = campaign(folder)
    told = process("log", "--graph", "-n", "2", folder=shell.folder).stderr.decode()
    assert told == "note: the graph is cut: 3 trials of 5 not drawn; -n -1 draws all\n"
    assert process("log", "--graph", folder=shell.folder).stderr == b""


def test_a_list_says_what_it_cuts_and_that_it_is_empty(tmp_path: Path) -> None:
    """Both on standard error, so that a pipe gets rows alone; what is whole says nothing."""
    shell = campaign(tmp_path)
    for words in (["log", "-n", "2"], ["search", "idea", "-n", "1"], ["leaderboard", "-n", "1"]):
        done = shell.run(*words)
        assert len(done.stdout.splitlines()) == int(words[-1])
        assert f"note: there are more than these {words[-1]}; -n -1 lists all" in done.stderr
        assert "more than" not in shell.run(*words[:-1], "-1").stderr
    for words in (
        ["children", "004"],
        ["search", "nosuchword"],
        ["show", "--same", "004"],
        ["log", "--status", "baseline"],
    ):
        done = shell.run(*words)
        assert (done.stdout == "") == ("nothing to list" in done.stderr)
        assert done.exit_code == 0
    assert "nothing to list" in shell.run("children", "004").stderr
    assert shell.run("log", "-n", "5").stderr == ""


def test_colours_can_be_asked_for(tmp_path: Path) -> None:
    """FORCE_COLOR paints a pipe, 0 and NO_COLOR do not."""
    campaign(tmp_path)
    for variables, painted in (({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "0"}, False), ({"NO_COLOR": "1"}, False)):
        assert (b"\x1b[" in process("log", folder=tmp_path, **variables).stdout) is painted
    both = process("log", folder=tmp_path, FORCE_COLOR="1", NO_COLOR="1")
    assert b"\x1b[" not in both.stdout
