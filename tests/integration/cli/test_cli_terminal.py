"""What is around commands: terminals, pipes, the environment, starting up and unexpected errors."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from command_line import PACKAGE, Shell, campaign, environment, on_terminal, process

import gitlineage.cli.opening
from gitlineage.cli import failing, output
from gitlineage.cli.watching import Terminal
from gitlineage.errors import StorageError

START = """
import runpy, sys, types
root = types.ModuleType("gitlineage")
root.__path__ = [sys.argv.pop(1)]
sys.modules["gitlineage"] = root
try:
    runpy.run_module("gitlineage.__main__", run_name="__main__")
finally:
    print(*(name for name in ("pygit2", "rich", "sqlite3") if name in sys.modules), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, blind_git: Path) -> Path:
    """A small campaign that tests only look at."""
    return campaign(tmp_path_factory.mktemp("campaign")).folder


class Bar:
    """A progress bar that only counts."""

    def __init__(self, unit: str) -> None:
        self.count = 0

    def advance(self, doing: str, count: int, total: int = 0) -> None:
        """Count."""
        self.count += count

    def close(self) -> None:
        """Do nothing."""


def test_each_work_is_counted_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was indexed is not counted once more as recorded."""
    bars: list[Bar] = []
    monkeypatch.setattr(output, "Progress", lambda unit: bars.append(Bar(unit)) or bars[-1])
    terminal = Terminal()
    terminal.advance("indexing", 300)
    terminal.advance("indexing", 200)
    terminal.advance("recording", 100, 200)
    terminal.advance("recording", 100, 200)
    terminal.close()
    assert [bar.count for bar in bars if bar.count] == [500, 200]


def _on_pty(words: list[str], folder: Path, variables: dict[str, str]) -> str:
    """Run a program on a terminal with exactly these variables and return what that showed."""
    ours, theirs = os.openpty()
    subprocess.run(words, cwd=folder, env=variables, stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    return shown


class TestTerminal:
    """What a person sees."""

    def test_colours_and_a_heading_on_a_terminal_only(self, shared: Path) -> None:
        """A terminal gets colours and a heading, a pipe neither."""
        shown = on_terminal("log", folder=shared)
        assert "\x1b[32mkeep\x1b[0m" in shown
        assert "hypothesis" in shown.splitlines()[0]
        piped = process("log", folder=shared).stdout.decode()
        assert "\x1b" not in piped and "hypothesis" not in piped

    @pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_colours_can_be_turned_off(self, shared: Path, variables: dict[str, str]) -> None:
        """NO_COLOR and dumb terminals are respected."""
        told = {"TERM": "xterm", "GIT_PAGER": "cat", **variables}
        ours, theirs = os.openpty()
        words = [sys.executable, "-m", "gitlineage", "log"]
        subprocess.run(words, cwd=shared, env=environment(**told), stdout=theirs, check=True)
        os.close(theirs)
        assert b"\x1b" not in os.read(ours, 65536)
        os.close(ours)

    @pytest.mark.parametrize("columns", [60, 80, 120])
    def test_tables_fit_the_window(self, folder: Path, columns: int) -> None:
        """No line of a table is wider than the window, wide signs counted as two."""
        shell = campaign(folder)
        shell("commit", "-m", "長い仮説 " * 40, "--metric", "1", "--specialist", "somebody-with-a-long-name")
        for words in (["log"], ["log", "--graph"], ["leaderboard"], ["descendants", "000"]):
            for line in on_terminal(*words, folder=folder, columns=columns, NO_COLOR="1").splitlines():
                assert len(line) + sum("\u2e80" <= sign <= "\uffef" for sign in line) <= columns, (words, line)

    def test_help_has_panels_on_a_terminal(self, shared: Path) -> None:
        """There typer's own look is used for a command; the first screen is the same everywhere, but for colours."""
        assert "╭" in on_terminal("log", "--help", folder=shared)
        assert "\x1b[1mLook\x1b[0m" in on_terminal("--help", folder=shared)

    def test_patches_are_coloured(self, shared: Path) -> None:
        """Added and removed lines have colours of their own."""
        shown = on_terminal("diff", "001", folder=shared)
        assert "\x1b[31m-one\x1b[0m" in shown and "\x1b[32m+two\x1b[0m" in shown

    def test_errors_are_marked(self, shared: Path) -> None:
        """The word error stands out."""
        assert on_terminal("show", "nope", folder=shared).startswith("\x1b[1;31merror:\x1b[0m ")


COMPLETING = {
    "bash": """
eval "$(_GITLINEAGE_COMPLETE=source_bash gitlineage)"
function=$(complete -p gitlineage | sed 's/.*-F \\([^ ]*\\).*/\\1/')
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "$function" gitlineage; echo "${COMPREPLY[@]}"; }
try gitlineage le; try gitlineage relation in; try gitlineage ho
""",
    "zsh": """
autoload -U compinit && compinit -u -D
eval "$(_GITLINEAGE_COMPLETE=source_zsh gitlineage)"
whence -w _gitlineage_completion > /dev/null || exit 1
_arguments() { print -r -- "$@"; }
try() { words=("$@"); CURRENT=$#; _gitlineage_completion; }
try gitlineage le; try gitlineage relation in; try gitlineage ho
""",
    "fish": """
_GITLINEAGE_COMPLETE=source_fish gitlineage | source
complete -C "gitlineage le"; complete -C "gitlineage relation in"; complete -C "gitlineage ho"
""",
}
"""What lets a shell complete a command that begins with le, one below another, and what no help lists."""

MARKING = "sed s/^/paged:/"
"""A pager that can be seen."""


class TestPager:
    """On a terminal, lists go through what git would show them with."""

    def test_it_is_the_one_of_git(self, folder: Path) -> None:
        """GIT_PAGER comes before git's configuration and that before PAGER; colours and headings are there, too."""
        campaign(folder)
        shown = on_terminal("log", folder=folder, GIT_PAGER=MARKING)
        assert shown.count("paged:") == len(shown.splitlines()) == 6
        assert "\x1b[32mkeep\x1b[0m" in shown and "hypothesis" in shown.splitlines()[0]
        subprocess.run(["git", "config", "core.pager", MARKING], cwd=folder, check=True)
        told = environment(TERM="xterm", PAGER="cat")
        told.pop("GIT_PAGER", None)
        for words, place in ((["log"], folder), (["-C", str(folder), "log"], folder.parent)):
            assert "paged:" in _on_pty([sys.executable, "-m", "gitlineage", *words], place, told)

    @pytest.mark.parametrize("words", [["show", "003"], ["diff", "001"], ["events"], ["blame", "003"]])
    def test_what_is_long_is_paged(self, shared: Path, words: list[str]) -> None:
        """Lists, what is known of one trial, and patches."""
        assert "paged:" in on_terminal(*words, folder=shared, GIT_PAGER=MARKING)

    @pytest.mark.parametrize("words", [["--no-pager", "log"], ["best"], ["show", "nope"], ["children", "004"]])
    def test_what_is_not(self, shared: Path, words: list[str]) -> None:
        """On request nothing, and neither what is short, nor an error, nor a list of nothing."""
        shown = on_terminal(*words, folder=shared, GIT_PAGER=MARKING)
        assert shown and "paged:" not in shown

    def test_a_pipe_has_none(self, shared: Path) -> None:
        """What a program reads is printed as it is."""
        assert b"paged:" not in process("log", folder=shared, GIT_PAGER=MARKING).stdout

    @pytest.mark.parametrize("pager", ["nosuchpager", ""])
    def test_without_one(self, shared: Path, pager: str) -> None:
        """Where none is wanted, or what is named is not there, it is printed to the terminal."""
        assert "cross them" in on_terminal("log", folder=shared, GIT_PAGER=pager)

    def test_a_person_who_leaves_early(self, folder: Path) -> None:
        """The program ends without a word, and nothing of the rest reaches the terminal."""
        shell = campaign(folder)
        for _ in range(3):
            shell("commit", "-m", "x" * 90_000, "--metric", "1")
        assert on_terminal("log", "--json", folder=folder, GIT_PAGER="head -c 4; echo") == '{"id\n'

    def test_notes_are_where_the_list_is(self, shared: Path) -> None:
        """What a list says at its end is read in the pager, below it."""
        shown = on_terminal("log", "--graph", "-n", "2", folder=shared, GIT_PAGER=MARKING).splitlines()
        assert shown[-1].startswith("paged:") and "-n -1 draws all" in shown[-1]


class TestHeadings:
    """What the columns are, where that is asked for."""

    @pytest.mark.parametrize("words", [["log"], ["events"], ["stats"]])
    def test_a_pipe_has_them_on_request(self, shared: Path, words: list[str]) -> None:
        """`--header` adds one line and changes no word of the others; JSON needs none."""
        plain, headed = (process(*words, *more, folder=shared).stdout.decode() for more in ([], ["--header"]))
        first, *rest = headed.splitlines()
        assert [line.split() for line in rest] == [line.split() for line in plain.splitlines()]
        assert first.split()[0] in ("id", "clock", "trials")
        as_json = [process(*words, "--json", *more, folder=shared).stdout for more in ([], ["--header"])]
        assert as_json[0] == as_json[1]


class TestPipes:
    """What a program reads."""

    def test_a_reader_that_goes_away(self, folder: Path) -> None:
        """The program ends quietly when nobody reads any more."""
        shell = campaign(folder)
        for _ in range(6):
            shell("commit", "-m", "x" * 40_000, "--metric", "1")
        words = [sys.executable, "-m", "gitlineage", "log", "--json"]
        with subprocess.Popen(
            words, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as running:
            assert running.stdout is not None and running.stderr is not None
            running.stdout.read(10)
            running.stdout.close()
            assert running.stderr.read() == b""
        assert running.returncode in (0, 141)

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
    def test_a_full_disk(self, shared: Path) -> None:
        """What cannot be written is told in one line."""
        words = [sys.executable, "-m", "gitlineage", "log"]
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                words, cwd=shared, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert (done.returncode, done.stderr) == (1, b"error: No space left on device\n")

    def test_utf8_whatever_the_locale(self, shared: Path) -> None:
        """Output is UTF-8 even where Python would encode otherwise."""
        shown = process("prompt", "x", folder=shared, PYTHONIOENCODING="ascii", LC_ALL="C").stdout
        assert "—" in shown.decode()


class TestEnvironment:
    """Which repository is meant."""

    def test_git_dir(self, shared: Path, tmp_path: Path) -> None:
        """GIT_DIR names the repository where -C does not."""
        named = process("log", folder=tmp_path, GIT_DIR=str(shared / ".git"))
        assert named.stdout == process("log", folder=shared).stdout != b""
        assert (
            b"no git repository" in process("-C", tmp_path, "log", folder=shared, GIT_DIR=str(shared / ".git")).stderr
        )

    def test_below_the_repository(self, shared: Path) -> None:
        """Any folder inside a repository will do."""
        (shared / "deep" / "down").mkdir(parents=True, exist_ok=True)
        assert process("log", folder=shared / "deep" / "down").stdout == process("log", folder=shared).stdout

    @pytest.mark.parametrize(
        ("words", "made"),
        [
            (["init", "inner"], "inner/.git"),
            (["clone", ".", "copy"], "copy/.git"),
            (["checkout", "000", "out"], "out/a.txt"),
            (["export", "tsv", "table.tsv"], "table.tsv"),
            (["export", "bundle", "file.bundle"], "file.bundle"),
            (["graph", "--all", "-o", "graph.mmd"], "graph.mmd"),
            (["export", "board", "board"], "board/LEADERBOARD.md"),
        ],
    )
    def test_paths_are_relative_to_the_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], made: str
    ) -> None:
        """As with git's -C, whatever a command makes is made there, and the caller stays where it was."""
        monkeypatch.chdir(tmp_path)
        campaign(tmp_path / "store")
        Shell(Path("store"))(*words)
        assert (tmp_path / "store" / made).exists()
        assert (Path.cwd(), [path.name for path in tmp_path.iterdir()]) == (tmp_path, ["store"])

    def test_paths_are_read_from_the_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Files that are named are looked for there, too."""
        monkeypatch.chdir(tmp_path)
        assert Shell(Path("new"))("init").startswith("Made a git repository in")
        (tmp_path / "new" / "table.tsv").write_text("exp_id\tstatus\tloss\n000\tbaseline\t2.0\n")
        assert "imported 1 trial" in Shell(Path("new"))("import", "tsv", "table.tsv")

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        """Recording does not make folders out of a misspelt -C."""
        assert "no folder at" in Shell(tmp_path / "mispelt").fails(1, "commit", "-m", "x")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_repository(self, folder: Path) -> None:
        """It can be read; writing to it is refused in one line."""
        shell = campaign(folder)
        subprocess.run(["chmod", "-R", "a-w", folder / ".git"], check=True)
        try:
            assert "000" in shell("log")
            shell.fails(1, "commit", "-m", "x")
        finally:
            subprocess.run(["chmod", "-R", "u+w", folder / ".git"], check=True)


class TestStart:
    """Starting up."""

    @pytest.mark.parametrize(("words", "loaded"), [(["--version"], ""), (["--help"], ""), (["log"], "sqlite3")])
    def test_only_what_is_needed_is_imported(self, shared: Path, words: list[str], loaded: str) -> None:
        """Neither the version, the help nor a listing load libgit2, and a piped listing does not load rich."""
        command = [sys.executable, "-c", START, str(PACKAGE / "gitlineage"), *words]
        done = subprocess.run(command, cwd=shared, env=environment(), capture_output=True, text=True, check=True)
        assert done.stderr.strip() == loaded

    def test_completion(self, shared: Path) -> None:
        """Commands, their options and statuses complete."""
        for words, at, found in (
            ("leaderb", 1, "leaderboard"),
            ("log --coh", 2, "--cohort"),
            ("log --status cra", 3, "crash"),
        ):
            told = environment(
                COMP_WORDS=f"gitlineage {words}", COMP_CWORD=str(at), _GITLINEAGE_COMPLETE="complete_bash"
            )
            call = "import sys; sys.argv = ['gitlineage']; from gitlineage.cli import main; main()"
            done = subprocess.run([sys.executable, "-c", call], cwd=shared, env=told, capture_output=True, text=True)
            assert found in done.stdout.split()

    @pytest.mark.parametrize("shell", COMPLETING)
    def test_completion_in_the_shell_itself(self, shell: str, tmp_path: Path) -> None:
        """What `--show-completion` prints is taken by the shell, and then completes commands below others, too."""
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        program = tmp_path / "bin" / "gitlineage"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\nfrom gitlineage.cli import main\n\nmain()\n")
        program.chmod(0o755)
        told = environment(PATH=f"{program.parent}:{os.environ['PATH']}", HOME=str(tmp_path))
        words = [shell, *(["-f"] if shell == "zsh" else []), "-c", COMPLETING[shell]]
        done = subprocess.run(words, cwd=tmp_path, env=told, capture_output=True, text=True, check=True)
        found = set(re.findall(r"\w+", done.stdout))
        assert {"leaderboard", "infer", "hooks"} <= found, done
        assert not {"leaves", "hook"} & found


class TestUnexpected:
    """Errors that no command foresees."""

    @pytest.fixture
    def broken(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> "Breaking":
        """A shell in which opening a store raises what a test says."""
        folder.mkdir()
        return Breaking(Shell(folder), monkeypatch)

    @pytest.mark.parametrize("kind", [RuntimeError, KeyError])
    def test_an_internal_error_is_one_line(self, broken: "Breaking", kind: type[Exception]) -> None:
        """It says what it is and how to see where it happened."""
        said = broken(kind("odd")).fails(1, "log")
        assert f"internal: {kind.__name__}: " in said
        assert "odd" in said
        assert "set GITLINEAGE_DEBUG=1" in said

    def test_no_kind_of_error_slips_through(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Not even the one that a generator takes for its own."""
        with pytest.raises(typer.Exit), failing.reported():
            raise StopIteration("odd")
        assert "internal: StopIteration: odd" in capsys.readouterr().err

    def test_the_traceback_shows_on_request(self, broken: "Breaking", monkeypatch: pytest.MonkeyPatch) -> None:
        """With the variable set the error comes through."""
        monkeypatch.setenv("GITLINEAGE_DEBUG", "1")
        assert isinstance(broken(RuntimeError("odd")).run("log").exception, RuntimeError)

    def test_operating_system_errors_name_the_file(self, broken: "Breaking") -> None:
        """A refused file is named in one line."""
        assert "x.txt: Permission denied" in broken(PermissionError(13, "Permission denied", "x.txt")).fails(1, "log")

    def test_our_errors_stay_one_line(self, broken: "Breaking") -> None:
        """Line breaks and control characters of a message do not get through."""
        assert broken(StorageError("a\n\nb\x1b[31m")).fails(1, "log") == "error: a; b[31m"

    def test_an_interrupt_is_quiet(self, broken: "Breaking") -> None:
        """Control-C ends with 130 and no word."""
        result = broken(KeyboardInterrupt()).run("log")
        assert (result.exit_code, result.output) == (130, "")


class Breaking:
    """Makes opening a store raise."""

    def __init__(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = shell
        self.monkeypatch = monkeypatch

    def __call__(self, error: BaseException) -> Shell:
        """Let it raise from now on."""

        def place(_: object) -> None:
            raise error

        self.monkeypatch.setattr(gitlineage.cli.opening, "place", place)
        return self.shell


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "code"), [("log", 0), ("--help", 0), ("show nope", 1), ("nope", 2)])
def test_closed_streams_are_like_the_null_device(shared: Path, closed: str, words: str, code: int) -> None:
    """With a standard stream closed a command ends with its own exit code, and what it says elsewhere is the same."""
    found = {}
    for how, told in (("closed", closed), ("null", closed.replace("<&-", "</dev/null").replace("&-", "/dev/null"))):
        line = f'"$0" -m gitlineage {words} {told}'
        done = subprocess.run(
            ["sh", "-c", line, sys.executable], cwd=shared, env=environment(), capture_output=True, check=False
        )
        found[how] = done.returncode, done.stdout, done.stderr
    assert found["closed"] == found["null"]
    assert found["closed"][0] == code
    assert b"Traceback" not in found["closed"][2]
