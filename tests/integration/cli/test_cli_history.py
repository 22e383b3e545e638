"""The commands that ask why: blame, audit, bisect, events, infer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign, process

from gitlineage.query.audit import EVENT_TYPES


@pytest.fixture
def shell(folder: Path) -> Shell:
    """The small campaign, gone wrong at 005, which cites 001 and has a child."""
    found = campaign(folder)
    found.write(a="worse\n")
    found.commit("--parents", "003", "-m", "unlike exp_001", "--metric", "1.30", "--specialist", "bold")
    found.commit("--parents", "005", "-m", "a bit of noise", "--metric", "1.305")
    found.write(a="worse still\n")
    found.commit("--parents", "006", "-m", "no way back", "--metric", "1.40")
    return found


class TestBlame:
    """blame."""

    def test_the_first_regression(self, shell: Shell) -> None:
        """Trial, scores, who, the edit, and how much of it may be noise."""
        said = shell("blame", "007")
        assert said.startswith("005  loss 1.3 is worse than 1.1 of 003 by 0.2\n")
        assert "specialist   bold" in said
        assert "recorded by  alice" in said
        assert "-three\n+worse\n" in said
        assert "noise: sigma 0.00353553 from 2 replicates of 1 content; a change below 0.00707107 is no" in said
        assert "worse within the noise: 006" in said
        assert "worse later too: 1 more; --all shows them" in said

    def test_all_of_them(self, shell: Shell) -> None:
        """--all has the later ones too, --noise another idea of what is noise, --stat the files only."""
        said = shell("blame", "007", "--all", "--noise", "0", "--stat")
        assert [line[:3] for line in said.splitlines() if "is worse than" in line] == ["005", "006", "007"]
        assert "noise: sigma 0 as given; every change counts" in said
        assert " a.txt | 2 +-" in said and "-three" not in said

    def test_json(self, shell: Shell) -> None:
        """One object, with the edit."""
        (found,) = shell.objects("blame", "007")
        assert [each["trial"] for each in found["regressions"]] == ["005"]
        assert found["regressions"][0]["patch"].endswith("-three\n+worse\n")
        assert (found["chain"][0], found["within_noise"]) == ("000", ["006"])

    def test_no_regression(self, shell: Shell) -> None:
        """Said in words; nothing is wrong with that. A trial without a score is named."""
        assert shell("blame", "003").startswith("no regression among 3 trials, from 000\n")
        assert "without a score, passed over: 004" in shell("blame", "004")

    def test_wrong_calls(self, shell: Shell) -> None:
        """A noise that is none is a wrong call, an unknown id an error."""
        shell.fails(2, "blame", "007", "--noise", "-1")
        shell.fails(2, "blame", "007", "--noise", "loud")
        assert "'nothing'" in shell.fails(1, "blame", "nothing")


class TestAudit:
    """audit."""

    def test_lines(self, shell: Shell) -> None:
        """Clock, when, who and what, in order."""
        lines = shell("events", "001").splitlines()
        assert [line.split("  ")[-1] for line in lines] == [
            "cohort ideas opened on 000",
            "trial 001 recorded: keep, member of cohort ideas",
        ]

    def test_json(self, shell: Shell) -> None:
        """Events with what happened in words."""
        found = shell.objects("events", "001")
        assert [(each["event_type"], each["own"]) for each in found] == [("cohort", False), ("trial", True)]
        assert found[1]["payload"]["row"]["exp_id"] == "001"


class TestEvents:
    """events."""

    def test_lines_and_objects(self, shell: Shell) -> None:
        """As many of one as of the other, in order."""
        found = shell.objects("events")
        assert len(shell("events").splitlines()) == len(found)
        assert [each["clock"] for each in found] == list(range(1, len(found) + 1))
        assert set(found[0]) == {"event_type", "timestamp", "actor", "payload", "writer", "clock", "oid"}

    def test_filters(self, shell: Shell) -> None:
        """By snapshot, writer, type and beginning; an unknown type is an error that names the known ones."""
        assert [each["event_type"] for each in shell.objects("events", "001")] == ["cohort", "trial"]
        assert shell.objects("events", "--writer", "bob") == []
        assert {each["event_type"] for each in shell.objects("events", "--type", "task,cohort")} == {"task", "cohort"}
        assert shell.objects("events", "--since", "8")[0]["clock"] == 8
        said = shell.fails(2, "events", "--type", "trial,nothing")
        assert all(kind in said for kind in EVENT_TYPES)
        shell.fails(2, "events", "--since", "yesterday")

    def test_a_line_that_is_no_event(self, shell: Shell, git: Callable[..., str]) -> None:
        """It is skipped with a warning on standard error."""
        oid = shell.objects("best")[0]["oid"]
        git("notes", "--ref", "lineage/mallory", "add", "-m", '{"type": "hologram", "clock": 3}', oid)
        result = shell.run("events", "--json")
        assert result.exit_code == 0
        assert "warning: skipped a malformed line in the note of mallory on" in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert shell.run("maintain", "reindex").stderr == result.stderr
        assert "hologram" in result.stderr
        assert all(json.loads(line) for line in result.stdout.splitlines())


class TestBisect:
    """bisect."""

    def test_found(self, shell: Shell) -> None:
        """The command's output passes through; then the first bad one with trial and files; exit code 0."""
        done = process(
            "bisect", "000", "007", "--", "sh", "-c", "cat a.txt; ! grep -q worse a.txt", folder=shell.folder
        )
        assert done.returncode == 0, done.stderr
        said = done.stdout.decode()
        assert "\nworse\n" in said
        assert "\nfirst bad: 005, after " in said
        assert said.endswith(" a.txt | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n")

    def test_json(self, shell: Shell) -> None:
        """One object on standard output, all else on standard error."""
        done = process("bisect", "000", "007", "--json", "--", "sh", "-c", "! grep worse a.txt", folder=shell.folder)
        found = json.loads(done.stdout)
        assert (found["id"], found["skipped"]) == ("005", 0)
        assert "a.txt | 2 +-" in found["stat"]
        assert b"\nworse\n" in done.stderr

    def test_refused(self, shell: Shell) -> None:
        """Not on one chain, or a command that cannot be run: exit code 1 and why; without a command, 2."""
        assert "is not on the primary chain" in shell.fails(1, "bisect", "002", "007", "--", "true")
        done = process("bisect", "000", "007", "--", "no-such-program", folder=shell.folder)
        assert done.returncode == 1
        assert b"\nerror: no-such-program was not found (127)" in done.stderr
        shell.fails(2, "bisect", "000", "007")


class TestInfer:
    """infer, and where else what is inferred shows."""

    def test_lines_and_objects(self, shell: Shell) -> None:
        """Who cites whom, in what words."""
        assert shell("relation", "infer").split() == ["005", "001", "hypothesis", "unlike", "exp_001"]
        (found,) = shell.objects("relation", "infer", "005")
        assert (found["source"], found["target"], found["inferred"], found["text"]) == (
            "005",
            "001",
            True,
            "unlike exp_001",
        )
        assert shell.objects("relation", "infer", "006") == []

    def test_show_and_graph(self, shell: Shell) -> None:
        """What `show` names apart, `graph` draws dashed where that is asked for; parents are what they were."""
        assert "cites (inferred)  001\n" in shell("show", "005")
        assert "-.->" in shell("graph", "--all", "--inferred")
        assert "-.->" not in shell("graph", "--all")
        assert [each["id"] for each in shell.objects("parents", "005")] == ["003"]
