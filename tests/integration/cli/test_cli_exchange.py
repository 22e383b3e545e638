"""The commands import and export of tsv and openrange, and reindex."""

import csv
import io
import shutil
from pathlib import Path

import pytest
from command_line import Shell, campaign
from openrange_stores import Second, first, node, put, snapshot, third, values

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


def test_one_trial_is_no_trials(folder: Path, table: Path) -> None:
    """A single row is told in the singular."""
    table.write_text("".join(TABLE.splitlines(keepends=True)[:2]))
    folder.mkdir()
    assert Shell(folder)("import", "tsv", table).startswith("imported 1 trial\n")


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
    out = str(tmp_path / "again.tsv")
    assert shell.objects("export", "tsv", out) == [{"file": out, "size": len(TABLE)}]
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


@pytest.mark.parametrize("data", ["exp_id\tstatus\tval_loss\tfoo\n", "exp_id\tstatus\tval_loss"])
def test_a_header_alone_comes_back(folder: Path, table: Path, data: str) -> None:
    """A table without rows keeps its columns, and the second import adds nothing."""
    table.write_text(data)
    folder.mkdir()
    shell = Shell(folder)
    assert shell("import", "tsv", table).startswith("imported 0 trials\n")
    assert shell("export", "tsv", "-") == data
    events = shell.objects("events")
    shell("import", "tsv", table)
    assert shell.objects("events") == events
    table.write_text(TABLE.replace("loss", "val_loss").replace("seed", "foo"))
    shell("import", "tsv", table)


@pytest.mark.parametrize("first", ["", "\n"])
@pytest.mark.parametrize("second", ["", "\n"])
@pytest.mark.parametrize(
    "more", ["", "\n003\t000\tmore\tdiscard\t2.5\t", "\n003\t\tmore\tdiscard\t2.5\t\n004\t\tx\tcrash\t\t"]
)
def test_a_file_that_grew_comes_back(folder: Path, table: Path, first: str, second: str, more: str) -> None:
    """The line end of the last line is that of the file as it was imported last."""
    folder.mkdir()
    shell = Shell(folder)
    table.write_text(TABLE.rstrip("\n") + first)
    shell("import", "tsv", table)
    grown = TABLE.rstrip("\n") + more + second
    for _ in range(2):
        table.write_text(grown)
        shell("import", "tsv", table)
        assert shell("export", "tsv", "-") == grown
    events = shell.objects("events")
    shell("import", "tsv", table)
    assert shell.objects("events") == events


def test_text_after_the_status_is_no_metric(folder: Path, table: Path) -> None:
    """The metric is the first column after the status that holds scores."""
    head = "exp_id\tparent_exp\thypothesis\tstatus\tdescription\tval_bpb\n"
    table.write_text(f"{head}000\t\tx\tbaseline\tthe start\t1.2\n001\t000\tx\tkeep\t\t1.1\n")
    folder.mkdir()
    assert "ranked by val_bpb, lower is better" in Shell(folder)("import", "tsv", table)


def test_nan_comes_back_as_text(folder: Path, table: Path) -> None:
    """One nan refuses no campaign: it comes back as it stood, ranks nowhere, and the second import adds nothing."""
    head = "exp_id\tstatus\tval_bpb\ttrain_s\n"
    table.write_text(f"{head}000\tbaseline\t1.2\tnan\n001\tdiscard\tnan\t3\n002\tcrash\tinf\t\n")
    folder.mkdir()
    shell = Shell(folder)
    for added in (3, 0):
        assert shell.objects("import", "tsv", table)[0]["added"] == added
        assert shell("export", "tsv", "-") == table.read_text()
    assert shell.objects("best")[0]["id"] == "000"
    shell("maintain", "reindex")
    assert shell("export", "tsv", "-") == table.read_text()
    assert "finite number" in shell.fails(2, "commit", "--metric", "nan")


def test_a_discard_shows_the_direction(folder: Path, table: Path) -> None:
    """Where nothing was kept yet, what was discarded says which way is worse."""
    head = "exp_id\tstatus\tcore_metric\tdelta_vs_best\n"
    begun = f"{head}000\tbaseline\t0.25\t\n001\tdiscard\t0.20\t-0.05\n"
    table.write_text(begun)
    folder.mkdir()
    shell = Shell(folder)
    result = shell.run("import", "tsv", table)
    assert "ranked by core_metric, higher is better" in result.stdout
    assert "direction" not in result.stderr
    table.write_text(f"{begun}002\tkeep\t0.27\t+0.02\n")
    assert "higher is better" in shell("import", "tsv", table)
    assert shell.objects("best")[0]["id"] == "002"


def test_an_assumed_direction_is_settled_by_later_rows(folder: Path, table: Path) -> None:
    """It is told as long as it is a guess; the rows that show it revise it, and adding nothing stays adding nothing."""
    begun = "exp_id\tstatus\tacc\tdelta_vs_best\n000\tbaseline\t0.25\t\n"
    table.write_text(begun)
    folder.mkdir()
    shell = Shell(folder)
    for _ in range(2):
        result = shell.run("import", "tsv", table)
        assert "ranked by acc, lower is better" in result.stdout
        assert result.stderr.count("no kept row shows the direction yet") == 1
        assert "init --higher-is-better" in result.stderr
    assert len(shell.objects("events")) == 3
    table.write_text(f"{begun}001\tkeep\t0.27\t+0.02\n002\tdiscard\t0.20\t-0.07\n")
    result = shell.run("import", "tsv", table)
    assert "ranked by acc, higher is better" in result.stdout
    assert "direction" not in result.stderr
    assert shell.objects("best")[0]["id"] == "001"


@pytest.mark.parametrize("words", [["init", "--lower-is-better"], ["import", "tsv", "results", "--lower-is-better"]])
def test_a_direction_that_was_said_is_not_revised(folder: Path, table: Path, words: list[str]) -> None:
    """A flag settles what was assumed, whatever rows say later."""
    begun = "exp_id\tstatus\tacc\tdelta_vs_best\n000\tbaseline\t0.25\t\n"
    table.write_text(begun)
    folder.mkdir()
    shell = Shell(folder)
    shell("import", "tsv", table)
    shell(*(table if word == "results" else word for word in words))
    table.write_text(f"{begun}001\tkeep\t0.27\t+0.02\n")
    (outcome,) = shell.objects("import", "tsv", table)
    assert (outcome["task"]["lower_is_better"], outcome["assumed"]) == (True, False)
    assert shell.objects("best")[0]["id"] == "000"


def test_bad_rows_are_listed(folder: Path, tmp_path: Path) -> None:
    """Every bad row is told by its line, nothing is imported, and the exit code is 1."""
    bad = tmp_path / "bad.tsv"
    bad.write_text(TABLE + "003\t000\tx\tgreat\t1\t\n*\t000\tx\tkeep\t1\t\n")
    folder.mkdir()
    shell = Shell(folder)
    result = shell.run("import", "tsv", bad)
    assert result.exit_code == 1
    said = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert said[0].startswith("error: bad.tsv: 2 bad rows, nothing was imported")
    assert said[1].startswith("  line 5: ")
    assert said[2].startswith("  line 6: ")
    assert list(folder.iterdir()) == [], "a refused file made a repository"


def test_an_openrange_store_in_and_out(folder: Path, tmp_path: Path) -> None:
    """Its own ids are good for every command, the second import adds nothing, and the files come out as they were."""
    made = Second(tmp_path / "in", dag=True)
    (tmp_path / "in" / f"{made.root}.json").unlink()
    folder.mkdir()
    shell = Shell(folder)
    assert shell("import", "openrange", tmp_path / "in") == (
        f"imported 3 snapshots of generation 2\n1 stub: {made.root}\n1 cohort: step-1\n"
    )
    (again,) = shell.objects("import", "openrange", tmp_path / "in")
    assert (again["added"], again["known"], again["stubs"]) == (0, 3, [])
    assert sorted(each["name"] for each in shell.objects("children", made.root)) == sorted([made.left, made.right])
    found = {each["id"]: (each["depth"], each["stub"]) for each in shell.objects("ancestors", made.last[:7])}
    assert found == {made.left: (1, False), made.right: (1, False), made.root: (2, True)}
    assert [line.split()[2] for line in shell("parents", made.last).splitlines()] == ["base", "mate"]
    assert "stub" in shell("ancestors", made.last).splitlines()[-1]
    shown = shell("show", made.left)
    assert shown.startswith(f"{made.left}  patch it\n")
    assert f"siblings     {made.right}" in shown
    assert "(stub)" in shown
    assert shell.objects("show", made.right)[0]["siblings"] == [made.left]
    assert "+ssrf" in shell("diff", made.last, "--parent", "1")
    assert "+v1" in shell("diff", made.last, "--parent", "2")
    said = shell.run("export", "openrange", tmp_path / "out")
    assert said.stderr == f"note: wrote 3 files of generation 2 to {tmp_path / 'out'}\n"
    assert values(tmp_path / "out") == values(tmp_path / "in")


def test_variants_of_one_parent_do_not_look_alike(folder: Path, tmp_path: Path) -> None:
    """The directive that made each is what `children`, `show` and `descendants` say of it; `log` says where to look."""
    orders = {"v1": {"patch": ["sql_injection"]}, "v2": {"add": ["ssrf"]}, "v3": {"harden": ["accounts"]}}
    top = node("root", None)
    put(tmp_path / "in", "root", snapshot([top], {}))
    for name, order in orders.items():
        chain = [top, node(name, "root", "Built webapp", curriculum=order)]
        put(tmp_path / "in", name, snapshot(chain, {}))
    folder.mkdir()
    shell = Shell(folder)
    told = "would import 4 snapshots of generation 2\n"
    assert shell("import", "openrange", tmp_path / "in", "--dry-run") == told
    assert list(folder.iterdir()) == []
    shell("import", "openrange", tmp_path / "in", "--cohort", "step-1")
    assert shell("import", "openrange", tmp_path / "in", "--dry-run").startswith("would import 0 snapshots")
    said = [line.split(maxsplit=2)[2] for line in shell("children", "root").splitlines()]
    assert said == ["patch sql_injection", "add ssrf", "harden accounts"]
    assert shell("show", "v2").startswith("v2  add ssrf\n")
    assert len(shell.objects("show", "v2")[0]["siblings"]) == 2
    assert "`gitlineage descendants --leaves`" in shell.run("log").stderr
    assert all(order in shell("descendants", "--leaves") for order in said)


def test_long_names_of_worlds_are_cut(folder: Path, tmp_path: Path) -> None:
    """A generation 3 id is shown by its beginning, which stands for it; programs get all of it."""
    root = third({"nodes": [1]}, None)
    child = third({"nodes": [2]}, root["snapshot_id"])
    for value in (root, child):
        put(tmp_path / "in", value["snapshot_id"], value)
    folder.mkdir()
    shell = Shell(folder)
    shell("import", "openrange", tmp_path / "in")
    name = shell("children", root["snapshot_id"]).split()[0]
    assert name == child["snapshot_id"][:19]
    assert shell.objects("parents", name)[0]["name"] == root["snapshot_id"]


def test_snapshots_of_here_go_to_openrange(folder: Path, tmp_path: Path) -> None:
    """What was recorded here is written with all its parents; what is no text is left out and said."""
    shell = campaign(folder)
    (folder / "logo.png").write_bytes(b"\x89PNG\xff")
    shell.commit("--parents", "003", "-m", "a picture", "--metric", "1")
    said = shell.run("export", "openrange", tmp_path / "out", "--json")
    assert said.exit_code == 0
    assert "warning: left out 1 file that OpenRange cannot hold" in said.stderr
    written = values(tmp_path / "out")
    crossed = shell.objects("show", "003")[0]
    own = written[f"{crossed['oid'][:16]}.json"]["lineage"][-1]
    assert own["parents"] == [oid[:16] for oid in crossed["parents"]]
    assert own["parent_id"] == own["parents"][0]
    assert own["prompt"] == "cross them"


def test_openrange_files_that_are_refused(folder: Path, tmp_path: Path) -> None:
    """Each bad file is a line; nothing is imported and no repository is made."""
    Second(tmp_path / "in")
    put(tmp_path / "in", "y", {"id": 1})
    put(tmp_path / "in", "z", {"snapshot_id": "z", "graph": {}})
    folder.mkdir()
    shell = Shell(folder)
    result = shell.run("import", "openrange", tmp_path / "in")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"error: {tmp_path / 'in'}: 2 faults, nothing was imported",
        "  y.json: manifest, world, tasks, verifier_sources, generated, admission, lineage: missing; "
        "a generation 2 snapshot needs it",
        "  z.json: ontology_id, tasks, lineage: missing; a generation 3 snapshot needs it",
    ]
    first(tmp_path / "mixed")
    Second(tmp_path / "mixed")
    result = shell.run("import", "openrange", tmp_path / "mixed")
    assert "is of generation 2; a folder holds one only" in result.stderr
    assert list(folder.iterdir()) == []


def test_an_openrange_store_by_its_path(folder: Path, tmp_path: Path) -> None:
    """`import DIR` knows it; options about trials are refused by name, and bad files are passed over on request."""
    made = Second(tmp_path / "in", dag=True)
    (tmp_path / "in" / "a.json").write_text("{}")
    folder.mkdir()
    shell = Shell(folder)
    said = shell.fails(2, "import", tmp_path / "in", "--metric", "loss")
    assert "an OpenRange store has no trials, and so nothing for --metric" in said
    assert "a.json: is no snapshot" in shell.run("import", tmp_path / "in").stderr
    assert list(folder.iterdir()) == []
    done = shell.run("import", tmp_path / "in", "--skip-bad", "--cohort", "all")
    assert done.stdout.startswith("imported 4 snapshots of generation 2\n")
    assert "passed over 1 file that are no snapshots; the first is a.json: is no snapshot" in done.stderr
    (told,) = shell.objects("import", tmp_path / "in", "--dry-run", "--skip-bad")
    assert (told["added"], told["known"], [name for name, _ in told["skipped"]]) == (0, 4, ["a.json"])
    assert shell.objects("children", made.root)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.json").write_text('{"id": 1}')
    assert "there is no result of a loop" in shell.fails(1, "import", tmp_path / "other")


def test_reindex(folder: Path) -> None:
    """The index may be deleted or broken at any time; reindex says how much it holds."""
    shell = campaign(folder)
    before = shell("log", "--json")
    assert shell("maintain", "reindex") == "indexed 5 trials\n"
    assert shell.objects("maintain", "reindex") == [{"trials": 5}]
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
        (1, ["import", "openrange", "/nowhere"], "cannot read /nowhere: No such file"),
        (1, ["import", "openrange", "/dev/null"], "cannot read /dev/null: Not a directory"),
        (1, ["import", "openrange", "/dev"], "no OpenRange snapshot in /dev:"),
        (1, ["export", "openrange", "/dev/null/x"], "cannot write to /dev/null/x: Not a directory"),
        (1, ["export", "openrange", "x", "--generation", "3"], "no snapshot of generation 3 to export"),
        (2, ["export", "tsv", "-", "--json"], "standard output"),
        (2, ["export", "openrange", "x", "--generation", "4"], "--generation"),
        (2, ["import", "openrange"], "missing argument 'DIR'"),
        (2, ["import", "tsv"], "missing argument 'FILE'"),
        (2, ["import"], "missing argument 'PATH...'"),
        (2, ["export", "xml", "x"], "no such command 'xml'"),
        (2, ["import", "tsv", "x", "--snapshots", "/nowhere"], "--snapshots"),
    ],
)
def test_bad_calls(folder: Path, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why."""
    assert reason in campaign(folder).fails(code, *words)


HALF = (
    "exp_id\tparent_exp\thypothesis\tstatus\tloss\tseed\n"
    "000\t\tthe start\t\t2.0\t1\n"
    "001\t000\tbetter\t\t1.50\t\n"
    "002\t001\tworse\t\t1.9\tnan\n"
    "003\t001\tsaid\tcrash\t\t\n"
    "004\t001\truns still\t\t\t4\n"
)
"""A table of which only one row says how it ended."""

BARE = "".join("\t".join(line.split("\t")[:3] + line.split("\t")[4:]) for line in HALF.splitlines(keepends=True))
"""The same without the column."""


@pytest.mark.parametrize(("text", "third"), [(HALF, "crash"), (BARE, "pending")])
def test_rows_without_a_status_are_judged_or_pending(
    folder: Path, table: Path, tmp_path: Path, text: str, third: str
) -> None:
    """A score is judged in file order and said; the file comes back, also with more columns; again, it adds nothing."""
    folder.mkdir()
    shell = Shell(folder)
    table.write_text(text)
    words = ("import", "tsv", table, "--metric", "loss")
    refused = shell.run(*words)
    assert refused.exit_code == 1
    assert "3 rows without a status cannot be judged" in refused.stderr
    assert not (folder / ".git").exists()
    said = shell(*words, "--lower-is-better")
    assert "judged 3 rows without a status by score" in said
    waiting = [each["id"] for each in shell.objects("log", "-n", "-1", "--status", "pending")]
    assert f"pending: {'1 row' if third == 'crash' else '2 rows'} with neither" in said
    assert waiting == (["004"] if third == "crash" else ["004", "003"])
    states = {each["id"]: each["status"] for each in shell.objects("log", "-n", "-1")}
    assert [states[f"{number:03}"] for number in range(3)] == ["baseline", "keep", "discard"]
    assert shell("export", "tsv", "-") == text
    events = shell.objects("events")
    (again,) = shell.objects(*words)
    assert (again["added"], again["known"], again["judged"], again["pending"]) == (0, 5, 0, 0)
    assert shell.objects("events") == events


def test_a_pending_row_gets_its_result_from_the_file(folder: Path, table: Path) -> None:
    """A row that waited is the same trial when its file says how it ended; one that ended here is known to the file."""
    folder.mkdir()
    shell = Shell(folder)
    table.write_text(HALF)
    shell("import", "tsv", table, "--lower-is-better")
    grown = HALF.replace("runs still\t\t\t4", "runs still\t\t1.2\t4") + "005\t004\tlast\t\t\t\n"
    table.write_text(grown)
    (outcome,) = shell.objects("import", "tsv", table)
    assert (outcome["added"], outcome["judged"], outcome["pending"]) == (2, 1, 1)
    assert shell.objects("best")[0]["id"] == "004"
    assert shell("export", "tsv", "-") == grown
    shell("record", "005", "--metric", "1.1")
    (outcome,) = shell.objects("import", "tsv", table)
    assert (outcome["added"], outcome["known"]) == (0, 6)
    assert shell.objects("best")[0]["id"] == "005"


def test_cells_of_the_file_stay_beside_later_columns(folder: Path, table: Path) -> None:
    """What makes a table wider, or is retracted, changes no cell of another row."""
    folder.mkdir()
    shell = Shell(folder)
    table.write_text(HALF)
    shell("import", "tsv", table, "--lower-is-better")
    shell("retract", "002", "-m", "wrong seed")
    shell("commit", "--new", "-m", "more", "--metric", "1.4", "--field", "lr=0.1")
    lines = [line.split("\t") for line in shell("export", "tsv", "-").splitlines()]
    assert lines[0][:6] == HALF.split("\n")[0].split("\t")
    assert lines[0][-1] == "lr"
    assert [line[3] for line in lines[1:]] == ["", "", "disqualified", "crash", "", "keep"]
    assert lines[3][5] == "nan"


def test_a_short_row_is_refused_whatever_it_lacks(folder: Path, table: Path) -> None:
    """Rows that lost cells stay refused with their lines: nothing of them is judged."""
    folder.mkdir()
    table.write_text(HALF + "005\t001\tflattened\n006\t001\tx\t\n")
    refused = Shell(folder).run("import", "tsv", table, "--lower-is-better")
    assert refused.exit_code == 1
    assert "line 7: 3 cells" in refused.stderr
    assert "line 8: 4 cells" in refused.stderr


def test_cells_for_spreadsheets(folder: Path, table: Path) -> None:
    """Text that would run as a formula gets a quote before it only where that was asked for; numbers stay."""
    folder.mkdir()
    shell = Shell(folder)
    bad = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", " =1", "＝1", '"=1\n=2"', '"\t=1"']
    good = ["a=1", "+0.5", "-1e-3", "", "x -1", "'=1"]
    lines = [f"{at:03}\t\t{text}\tcrash\t-1\t+2\n" for at, text in enumerate([*bad, *good])]
    text = "exp_id\tparent_exp\thypothesis\tstatus\tloss\t=seed()\n" + "".join(lines)
    table.write_text(text)
    shell("import", "tsv", table)
    assert shell("export", "tsv", "-") == text
    said = shell("export", "tsv", "-", "--for-spreadsheets")
    head, *rows = csv.reader(io.StringIO(said, newline=""), dialect="excel-tab", strict=True)
    assert head[-1] == "'=seed()"
    assert [row[2] for row in rows] == [f"'{unquoted(cell)}" for cell in bad] + good
    assert {(row[4], row[5]) for row in rows} == {("-1", "+2")}


def unquoted(cell: str) -> str:
    """Return what a cell of a file says."""
    return cell[1:-1] if cell.startswith('"') else cell
