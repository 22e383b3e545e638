"""The commands import tsv, export tsv and reindex."""

import shutil
from pathlib import Path

import pytest
from command_line import Shell, campaign

TABLE = (
    "exp_id\tparent_exp\thypothesis\tstatus\tloss\tseed\n"
    "000\t\tthe start\tbaseline\t2.0\t1\n"
    "001\t000\tbetter\tkeep\t1.50\t\n"
    "002\t777\tlost its parent\tdiscard\t1.9\t3\n"
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small table on disk."""
    path = tmp_path / "results.tsv"
    path.write_text(TABLE)
    return path


def test_in_and_out_byte_for_byte(folder: Path, table: Path, tmp_path: Path) -> None:
    """Import makes the repository, adds nothing the second time, and export gives the file back."""
    folder.mkdir()
    shell = Shell(folder)
    result = shell.run("import", "tsv", table)
    assert result.exit_code == 0, result.output
    assert "imported 3 trials" in result.stdout
    assert "ranked by loss, lower is better" in result.stdout
    assert "of 002" in result.stderr
    (again,) = shell.objects("import", "tsv", table)
    assert (again["added"], again["known"]) == (0, 3)
    assert shell("export", "tsv", "-") == TABLE
    shell("export", "tsv", tmp_path / "out.tsv")
    assert (tmp_path / "out.tsv").read_text() == TABLE
    assert [each["id"] for each in shell.objects("log", "--dangling")] == ["002"]
    assert shell.objects("log", "--dangling")[0]["dangling"] == "777"


def test_options_of_an_import(folder: Path, table: Path, tmp_path: Path) -> None:
    """Metric, direction, label and snapshot folders are taken as they are given."""
    (tmp_path / "snapshots").mkdir()
    folder.mkdir()
    shell = Shell(folder)
    words = ["--metric", "seed", "--higher-is-better", "--label", "s", "--snapshots", tmp_path / "snapshots"]
    (outcome,) = shell.objects("import", "tsv", table, *words)
    assert outcome["task"]["score_field"] == "seed"
    assert "seed, higher is better, shown as s" in shell("init")


def test_bad_rows_are_listed(folder: Path, tmp_path: Path) -> None:
    """Every bad row is told by its line, nothing is imported, and the exit code is 1."""
    bad = tmp_path / "bad.tsv"
    bad.write_text(TABLE + "003\t000\tx\tgreat\t1\t\n004\t000\tx\tkeep\tnan\t\n")
    folder.mkdir()
    shell = Shell(folder)
    result = shell.run("import", "tsv", bad)
    assert result.exit_code == 1
    said = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert said[0].startswith("error: bad.tsv: 2 bad rows, nothing was imported")
    assert said[1].startswith("  line 5: ")
    assert said[2].startswith("  line 6: ")
    assert list(folder.iterdir()) == [], "a refused file made a repository"


def test_reindex(folder: Path) -> None:
    """The index may be deleted or broken at any time; reindex says how much it holds."""
    shell = campaign(folder)
    before = shell("log", "--json")
    assert shell("reindex") == "indexed 5 trials\n"
    index = folder / ".git" / "lineage" / "index.sqlite3"
    index.write_bytes(b"this is no database" * 100)
    result = shell.run("log", "--json")
    assert result.stdout == before
    assert "rebuilding it" in result.stderr
    shutil.rmtree(folder / ".git" / "lineage")
    assert shell("log", "--json") == before


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, ["import", "tsv", "nothing.tsv"], "nothing.tsv: No such file"),
        (1, ["export", "tsv", "/nowhere/out.tsv"], "cannot write /nowhere/out.tsv"),
        (1, ["import", "tsv", "."], "directory"),
        (2, ["import", "tsv"], "missing argument 'FILE'"),
        (2, ["import"], "missing command"),
        (2, ["export", "csv", "x"], "no such command 'csv'"),
        (2, ["import", "tsv", "x", "--snapshots", "/nowhere"], "--snapshots"),
    ],
)
def test_bad_calls(folder: Path, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why."""
    assert reason in campaign(folder).fails(code, *words)
