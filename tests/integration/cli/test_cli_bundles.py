"""The commands consolidate, bundle and unbundle, and what they leave to be seen; one exp id of two clones."""

import subprocess
from pathlib import Path

import pytest
from command_line import Shell, campaign

from gitlineage.model.namespace import DEFAULT


def fetch(here: Path, there: Path) -> None:
    """Fetch the writers' refs of another repository by plain git."""
    words = ["git", "fetch", "-q", str(there), f"{DEFAULT.notes}*:{DEFAULT.notes}*"]
    subprocess.run(words, cwd=here, check=True, capture_output=True)


@pytest.fixture
def pair(folder: Path, tmp_path: Path) -> tuple[Shell, Shell]:
    """Alice's and Bob's clone, which both recorded 015 and fetched each other."""
    shells = []
    for at, name in enumerate(("alice", "bob")):
        shell = Shell(tmp_path / name)
        shell.write(a="one\n")
        shell("init", "--writer", name, "--metric", "loss")
        shell.commit("--exp-id", "015", "-m", f"the idea of {name}", "--metric", f"1.{at}", "--status", "keep")
        shell.commit("--parents", "015", "--exp-id", f"c-{name}", "-m", "on", "--metric", "3", "--status", "discard")
        shells.append(shell)
    alice, bob = shells
    fetch(alice.folder, bob.folder)
    fetch(bob.folder, alice.folder)
    return alice, bob


class TestOneIdOfTwoWriters:
    """Both are kept, and every listing tells them apart."""

    def test_every_listing_shows_whose_it_is(self, pair: tuple[Shell, Shell], tmp_path: Path) -> None:
        """Log, show, prompt, board, leaderboard, children and parents name 015@alice and 015@bob, in both clones."""
        for shell in pair:
            assert {each["id"] for each in shell.objects("log")} == {"015@alice", "015@bob", "c-alice", "c-bob"}
            assert "015@alice" in shell("log") and "015@bob" in shell("log", "--graph")
            assert "015@bob" in shell("show", "015@bob") and "the idea of bob" in shell("show", "015@bo")
            assert "015@alice" in shell("show", "c-alice")
            assert [each["id"] for each in shell.objects("leaderboard")] == ["015@alice", "015@bob"]
            assert shell.objects("best")[0]["id"] == "015@alice"
            assert [each["trials"] for each in shell.objects("children", "015@bob")] != []
            assert "c-bob" in shell("children", "015@bob") and "c-alice" not in shell("children", "015@bob")
            assert "015@alice" in shell("parents", "c-alice")
            prompt = shell("prompt", "arch")
            assert "015@alice" in prompt and "015@bob" in prompt
            shell("export", "board", tmp_path / "board")
            for name in ("LEADERBOARD.md", "KNOWLEDGE.md", "tree.tsv"):
                text = (tmp_path / "board" / name).read_text()
                assert "015@alice" in text and "015@bob" in text, name

    def test_the_id_alone_is_an_error_that_lists_both(self, pair: tuple[Shell, Shell]) -> None:
        """Wherever an id is asked for, one line says what there is to choose from; nothing is recorded."""
        alice, _ = pair
        before = alice("log", "--json")
        for words in (
            ["show", "015"],
            ["children", "015"],
            ["diff", "015"],
            ["record", "015", "--status", "keep", "--metric", "1"],
            ["commit", "--parents", "015", "-m", "x"],
        ):
            said = alice.fails(1, *words)
            assert "015@alice" in said and "015@bob" in said
        assert alice("log", "--json") == before

    def test_a_table_keeps_the_rows_as_they_are(self, pair: tuple[Shell, Shell]) -> None:
        """A TSV holds the rows' own cells, so both rows say 015; the two clones write the same bytes."""
        alice, bob = pair
        table = alice("export", "tsv", "-")
        assert [line.split("\t")[0] for line in table.splitlines()].count("015") == 2
        assert bob("export", "tsv", "-") == table

    def test_new_numbers_go_on_after_both(self, pair: tuple[Shell, Shell]) -> None:
        """The next automatic id is free in both clones."""
        alice, _ = pair
        assert alice.commit("--root", "-m", "x", "--metric", "2")["id"] == "016"

    def test_disjoint_ids_by_a_prefix(self, tmp_path: Path) -> None:
        """With a prefix each, two clones never use one id."""
        shells = []
        for name in ("alice", "bob"):
            shell = Shell(tmp_path / name)
            shell.write(a="one\n")
            shell("init", "--writer", name, "--id-prefix", f"{name[0]}-")
            for _ in range(3):
                shell.commit("-m", "x", "--metric", "2")
            shells.append(shell)
        fetch(shells[0].folder, shells[1].folder)
        labels = {each["id"] for each in shells[0].objects("log")}
        assert labels == {"a-000", "a-001", "a-002", "b-000", "b-001", "b-002"}
        assert shells[0].commit("-m", "x", "--metric", "2")["id"] == "a-003"

    def test_archived_and_bundled_they_are_still_two(self, pair: tuple[Shell, Shell], tmp_path: Path) -> None:
        """Neither folding a writer's ref nor carrying it in a file changes a label."""
        alice, _ = pair
        log = alice("log", "-n", "-1", "--json")
        assert alice("maintain", "consolidate", "bob") == "archived 1 writer (bob) in archive-alice\n"
        assert alice("log", "-n", "-1", "--json") == log
        alice("export", "bundle", tmp_path / "f")
        other = Shell(tmp_path / "other")
        other.folder.mkdir()
        assert other.run("import", "bundle", tmp_path / "f").exit_code == 0
        assert other("log", "-n", "-1", "--json") == log


class TestBundle:
    """There and back."""

    def test_the_whole(self, folder: Path, tmp_path: Path) -> None:
        """What is said on both sides, and that answers are equal then."""
        shell, other = campaign(folder), Shell(tmp_path / "other")
        file = tmp_path / "lineage.bundle"
        assert shell("export", "bundle", file).startswith(f"wrote {file}: 5 trials, 5 snapshots, 1 ref, ")
        other.folder.mkdir()
        result = other.run("import", "bundle", file)
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [
            f"took in {file}: 5 trials, 5 snapshots new",
            "alice  new",
            "rules in force: ranked by loss, lower is better (new with this bundle)",
        ]
        for words in (["log"], ["prompt", "bold", "--timestamp", "now"], ["leaderboard"], ["cohort", "show", "ideas"]):
            assert other(*words) == shell(*words)
        assert other("import", "bundle", file).splitlines() == [
            f"took in {file}: 0 trials, 0 snapshots new",
            "alice  up to date",
            "rules in force: ranked by loss, lower is better",
        ]

    def test_a_choice_as_json(self, folder: Path, tmp_path: Path) -> None:
        """What is in it, what came, and the rules, for programs."""
        shell, other = campaign(folder), Shell(tmp_path / "other")
        (made,) = shell.objects("export", "bundle", tmp_path / "f", "--cohort", "ideas")
        assert (made["trials"], made["snapshots"], len(made["refs"])) == (3, 3, 1)
        other.folder.mkdir()
        other("init", "--writer", "bob", "--metric", "loss", "--higher-is-better")
        (done,) = other.objects("import", "bundle", tmp_path / "f")
        assert [each["outcome"] for each in done["refs"]] == ["new"]
        assert (done["writers"], done["trials"], done["snapshots"]) == (1, 3, 3)
        assert {each["id"] for each in other.objects("log")} == {"000", "001", "002"}

    def test_a_refused_ref_is_told_and_the_exit_code_is_one(self, folder: Path, tmp_path: Path) -> None:
        """The others are taken; the reason is on standard error."""
        shell, other = campaign(folder), Shell(tmp_path / "other")
        other.write(a="x")
        other("init", "--writer", "alice")
        other.commit("-m", "another alice", "--metric", "1")
        shell("export", "bundle", tmp_path / "f")
        result = other.run("import", "bundle", tmp_path / "f")
        assert result.exit_code == 1
        assert "alice  refused" in result.stdout
        assert "rewritten" in result.stderr
        assert len(other.objects("log")) == 1

    def test_wrong_usage_and_bad_files(self, folder: Path, tmp_path: Path) -> None:
        """One line each."""
        shell = campaign(folder)
        shell.fails(2, "export", "bundle", tmp_path / "f", "--cohort", "ideas", "--since", "000")
        shell.fails(1, "export", "bundle", tmp_path / "f", "--cohort", "nothing")
        shell.fails(1, "export", "bundle", tmp_path / "none" / "f")
        shell.fails(1, "import", "bundle", tmp_path / "none")
        shell.fails(1, "import", "bundle", tmp_path)
        (tmp_path / "text").write_text("x")
        assert "nothing was taken" in shell.fails(1, "import", "bundle", tmp_path / "text")
        shell("export", "bundle", tmp_path / "f")
        (tmp_path / "cut").write_bytes((tmp_path / "f").read_bytes()[:-30])
        assert "nothing was taken" in shell.fails(1, "import", "bundle", tmp_path / "cut")

    @pytest.mark.parametrize("name", ["none", "text", "cut", "folder"])
    def test_a_bad_file_makes_no_repository(self, folder: Path, tmp_path: Path, name: str) -> None:
        """A plain folder is as it was after a bundle that is missing, none, damaged or a folder."""
        campaign(folder)("export", "bundle", tmp_path / "whole")
        (tmp_path / "text").write_text("x")
        (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-30])
        (tmp_path / "folder").mkdir()
        shell = Shell(tmp_path / "plain")
        shell.folder.mkdir()
        shell.fails(1, "import", "bundle", tmp_path / name)
        assert list(shell.folder.iterdir()) == []


class TestConsolidate:
    """Folding by name, by age, and on a remote."""

    def test_idle_writers_and_a_remote(self, folder: Path, tmp_path: Path) -> None:
        """Everybody else is idle at once with --idle 0; the remote has the archive in place of their refs."""
        shell = campaign(folder)
        for name in ("bob", "carol"):
            other = Shell(folder, GIT_AUTHOR_NAME=name)
            subprocess.run(["git", "config", "lineage.writer", name], cwd=folder, check=True)
            other.commit("--root", "-m", name, "--metric", "2")
        subprocess.run(["git", "config", "lineage.writer", "alice"], cwd=folder, check=True)
        subprocess.run(["git", "init", "-q", "--bare", tmp_path / "remote.git"], check=True)
        subprocess.run(
            ["git", "push", "-q", tmp_path / "remote.git", f"{DEFAULT.notes}*:{DEFAULT.notes}*"], cwd=folder, check=True
        )
        log = shell("log", "--json")
        assert shell("maintain", "consolidate") == "no writer to archive\n"
        said = shell("maintain", "consolidate", "--idle", "0", "--push", tmp_path / "remote.git")
        assert said.splitlines() == [
            "archived 2 writers (bob, carol) in archive-alice",
            f"pushed archive-alice to {tmp_path / 'remote.git'}",
            "deleted there: 2 writers (bob, carol)",
        ]
        assert shell("log", "--json") == log
        (done,) = shell.objects("maintain", "consolidate", "--idle", "0")
        assert (done["consolidation"]["folded"], done["push"]) == ([], None)

    def test_refused(self, folder: Path) -> None:
        """The own writer, nobody's name, and both ways to choose at once."""
        shell = campaign(folder)
        assert "own writer" in shell.fails(1, "maintain", "consolidate", "alice")
        assert "nobody" in shell.fails(1, "maintain", "consolidate", "nobody")
        shell.fails(2, "maintain", "consolidate", "bob", "--idle", "3")
        assert "archive" in shell.fails(2, "init", "--writer", "archive-1")
