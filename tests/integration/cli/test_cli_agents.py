"""The doors of agents on the command line: set up, gone through, taken out; and what a session-start hook says."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import Shell, campaign, environment, process

from gitlineage import LineageStore, Trial
from gitlineage.agents.agent import understood
from gitlineage.agents.formats import AGENTS
from gitlineage.agents.session import LONGEST
from gitlineage.git.repository import init_repository


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with a `gitlineage` that runs this checkout, wherever the tests' Python has it."""
    place = tmp_path / "bin"
    place.mkdir()
    program = place / "gitlineage"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m gitlineage "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    monkeypatch.setattr("gitlineage.cli.agents.own_program", lambda: program)
    return place


def hook(folder: Path, said: object, *words: str, agent: str = "claude") -> subprocess.CompletedProcess[bytes]:
    """Run a session-start hook as an agent does, with what it says on standard input."""
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    command = [sys.executable, "-m", "gitlineage", "hook", "session-start", "--agent", agent, *words]
    return subprocess.run(command, cwd=folder, env=environment(), input=data, capture_output=True, check=False)


class TestSessionStart:
    """`gitlineage hook session-start`."""

    @pytest.mark.parametrize("agent", [*AGENTS, "another"])
    def test_each_agent_gets_what_it_takes(self, shell: Shell, agent: str) -> None:
        """The prompt comes in the agent's own form, and in no longer a form than agents take."""
        done = hook(shell.folder, {"cwd": str(shell.folder), "source": "startup", "session_id": "1"}, agent=agent)
        assert (done.returncode, done.stderr) == (0, b"")
        printed = done.stdout.decode()
        text = understood(AGENTS[agent], printed) if agent in AGENTS else printed
        assert text is not None and "003" in text and "gitlineage run" in text
        assert len(printed) <= LONGEST
        if agent == "claude":
            (inner,) = json.loads(printed).values()
            assert inner["hookEventName"] == "SessionStart"

    def test_it_is_recorded(self, shell: Shell) -> None:
        """What the agent read is recorded each time a context begins, and the specialist's next trial names it."""
        for source in ("startup", "compact"):
            assert hook(shell.folder, {"source": source}, "--specialist", "bold").returncode == 0
        trial = shell.commit("-m", "next", "--specialist", "bold", "--metric", "1.3")
        read = [each for each in shell.objects("events") if each["event_type"] == "session"]
        assert [each["actor"] for each in read] == ["bold", "bold"]
        assert shell.objects("show", trial["id"])[0]["saw"]

    @pytest.mark.parametrize("said", [b"no json", b"[1]", b"\xff\xfe", b"{", b'"text"', b"[" * 100_000])
    def test_garbage_is_met_with_silence(self, shell: Shell, said: bytes) -> None:
        """Input that is no JSON object gets no answer, no complaint and exit code 0."""
        done = hook(shell.folder, said)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    def test_no_lineage_is_met_with_silence(self, folder: Path, tmp_path: Path) -> None:
        """Without a repository, or without lineage in it, nothing is said and nothing is made."""
        init_repository(folder)
        for where in (folder, tmp_path):
            done = hook(where, {"cwd": str(where)})
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert not (folder / ".git" / "lineage").exists()

    def test_the_folder_is_the_agents(self, shell: Shell, tmp_path: Path) -> None:
        """The session's folder counts, not where the hook was started; an agent may call it by another name."""
        for said in ({"cwd": str(shell.folder)}, {"workspace_roots": [str(shell.folder)], "cwd": 5}):
            assert b"003" in hook(tmp_path, said).stdout
        assert hook(tmp_path, {"cwd": "/no/such\0folder"}).stdout == b""
        assert b"003" in hook(shell.folder, b"").stdout

    @pytest.mark.parametrize("sign", ["\U0001f9ea", "a ", '"', "\\"])
    def test_a_long_prompt_fits(self, open_store: Callable[..., LineageStore], sign: str) -> None:
        """Whether its signs take two places in an agent's own count, or in JSON, or not: the answer is not too long."""
        store = open_store()
        for at in range(60):
            text = f"{at} {sign * 150}"
            store.append(Trial(status="keep", core_metric=2 - at / 100, hypothesis=text, specialist="opt", notes=text))
        store.close()
        for agent in ("claude", "another"):
            printed = hook(store.root, {}, "--specialist", "opt", agent=agent).stdout.decode()
            assert 2000 < len(printed.encode("utf-16-le")) // 2 <= LONGEST


class TestAgents:
    """`gitlineage agents install`, `check` and `remove`."""

    def test_in_and_out(self, shell: Shell, bin_folder: Path) -> None:
        """Files are made and say the plain name; what was put in is taken out, and the recipe is what it was."""
        tree = shell.objects("commit", "--new", "-m", "before")[0]["tree"]
        made = shell.objects("agents", "install", "--agent", "claude,codex")
        assert {each["agent"] for each in made} == {"all agents", "claude", "codex"}
        settings = json.loads((shell.folder / ".claude" / "settings.json").read_text())
        command = settings["hooks"]["SessionStart"][0]["hooks"][0]["command"]
        assert command == "gitlineage hook session-start --agent claude"
        assert shell.objects("commit", "--new", "-m", "after")[0]["tree"] == tree
        assert "there already" in shell("agents", "install", "--agent", "claude")
        assert "removed" in shell("agents", "remove")
        assert sorted(path.name for path in shell.folder.iterdir()) == [".git", "a.txt", "b.txt"]
        assert shell("agents", "remove") == "nothing was there\n"

    def test_which_agents(
        self, shell: Shell, bin_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without --agent those that seem to be in use are set up, and it is said which and why."""
        monkeypatch.setenv("HOME", str(tmp_path))
        (bin_folder / "git").symlink_to(str(shutil.which("git")))
        monkeypatch.setenv("PATH", str(bin_folder))
        result = shell.run("agents", "install")
        assert "found no coding agent; --agent names one: claude" in result.stderr
        assert (shell.folder / "AGENTS.md").exists() and not (shell.folder / ".claude").exists()
        (shell.folder / ".cursor").mkdir()
        result = shell.run("agents", "install")
        assert "found cursor (.cursor)" in result.stderr
        assert (shell.folder / ".cursor" / "mcp.json").exists()
        shell("agents", "install", "--user", "--agent", "claude")
        assert (tmp_path / ".claude.json").exists()
        found = shell.run("agents", "check", "--user", "--agent", "claude", "--json").stdout.splitlines()
        assert {each["door"]: each["state"] for each in map(json.loads, found) if each["door"] != "mcp"} == {
            "skill": "works",
            "hook": "works",
            "permissions": "works",
        }

    def test_a_program_that_is_not_on_the_path(
        self, shell: Shell, bin_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the name finds another program or none, files say where this one is, and so does the command."""
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        result = shell.run("agents", "install", "--agent", "claude")
        assert f"the files name {bin_folder / 'gitlineage'}" in result.stderr
        assert ("pip install 'gitlineage[mcp]'" in result.stderr) == (find_spec("mcp") is None)
        assert str(bin_folder) in (shell.folder / ".mcp.json").read_text()

    def test_check_goes_through_the_doors(self, shell: Shell, bin_folder: Path) -> None:
        """A hook that answers works, one whose command is broken does not, and what is missing is said to be."""
        assert {each["state"] for each in shell.objects("agents", "check", "--agent", "claude")} == {"not installed"}
        shell("agents", "install", "--agent", "claude,cursor")
        found = {
            (each["agent"], each["door"]): each
            for each in map(json.loads, shell.run("agents", "check", "--agent", "all", "--json").stdout.splitlines())
        }
        assert found["claude", "hook"]["state"] == "works"
        assert found["claude", "hook"]["found"].startswith("it says ")
        assert found["claude", "permissions"]["state"] == "works"
        assert found["all agents", "text"]["state"] == found["all agents", "skill"]["state"] == "works"
        assert "editor drops" in found["cursor", "hook"]["catch"]
        assert found["gemini", "hook"]["state"] == "not installed"
        (bin_folder / "gitlineage").write_text("#!/bin/sh\necho 'no such module' >&2\nexit 3\n")
        result = shell.run("agents", "check", "--agent", "claude", "--json")
        assert result.exit_code == 1
        states = {each["door"]: each for each in map(json.loads, result.stdout.splitlines())}
        assert states["hook"]["state"] == states["mcp"]["state"] == "broken"
        assert states["hook"]["found"] == "it ends with 3: no such module"

    def test_check_without_lineage(self, folder: Path, bin_folder: Path) -> None:
        """A hook with nothing to say yet works, and it is said why it is silent."""
        init_repository(folder)
        shell = Shell(folder)
        shell("agents", "install", "--agent", "claude")
        result = shell.run("agents", "check", "--agent", "claude")
        assert "it says nothing: there is no lineage here yet" in result.stdout

    @pytest.mark.parametrize(
        ("code", "words", "reason"),
        [
            (2, ["agents", "install", "--agent", "clod"], "'clod' is none of claude"),
            (1, ["-C", "/", "agents", "install", "--agent", "claude"], "gitlineage init"),
            (1, ["-C", "/", "agents", "check"], "--user is about your own files"),
            (2, ["hook", "session-stop"], "session-start"),
        ],
    )
    def test_bad_calls(self, shell: Shell, code: int, words: list[str], reason: str) -> None:
        """Every bad call ends with one line that says why."""
        assert reason in shell.fails(code, *words)

    def test_a_broken_file_is_one_line(self, shell: Shell, bin_folder: Path) -> None:
        """A broken file is named, with its line, and what is put into the others and taken out is told as ever."""
        shell.folder.joinpath(".mcp.json").write_text('{\n  "mcpServers": {\n}\n')
        for words, outcome in ((["install"], "installed"), (["remove"], "removed")):
            done = shell.run("agents", *words, "--agent", "claude,cursor", "--json")
            assert done.exit_code == 1
            said = "error: .mcp.json is broken: line 4: a comma or } is expected; nothing was changed there"
            assert said in done.stderr.splitlines()
            told = {each["file"]: each["outcome"] for each in map(json.loads, done.stdout.splitlines())}
            assert (told[".mcp.json"], told[".cursor/mcp.json"], told[".claude/settings.json"]) == (
                "broken",
                outcome,
                outcome,
            )
        checked = shell.run("agents", "check", "--agent", "claude")
        assert checked.exit_code == 1 and "line 4: a comma or } is expected" in checked.stdout

    def test_lines_that_were_appended(self, shell: Shell, bin_folder: Path) -> None:
        """A file that ended without a line break can be appended to: nothing is refused, and the line stays."""
        shell.folder.joinpath("AGENTS.md").write_text("# Rules")
        for words in (["install", "--agent", "codex"], ["install", "--agent", "codex"], ["remove"]):
            shell("agents", *words)
            with shell.folder.joinpath("AGENTS.md").open("a") as file:
                file.write(f"{words[0]}\n")
        assert shell.folder.joinpath("AGENTS.md").read_text() == "# Rules\ninstall\ninstall\nremove\n"


def test_help_names_every_agent(folder: Path) -> None:
    """The help of the command says which agents there are."""
    folder.mkdir()
    said = process("agents", "install", "--help", folder=folder).stdout.decode()
    assert all(name in said for name in AGENTS)
