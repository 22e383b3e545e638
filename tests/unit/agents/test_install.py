"""The agents' files: what is put in, that it comes out again, and what is refused before anything is written."""

import errno
import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage.agents import install as doors
from gitlineage.agents.agent import Block, Entry
from gitlineage.agents.check import check
from gitlineage.agents.formats import AGENTS
from gitlineage.agents.formats.common import PROJECT
from gitlineage.errors import StorageError
from gitlineage.files import write_whole
from gitlineage.git.repository import GitRepo, init_repository

EVERY = list(AGENTS.values())


@pytest.fixture
def place(folder: Path) -> doors.Place:
    """A fresh repository."""
    init_repository(folder)
    return doors.Place(folder, GitRepo(folder))


def files(top: Path) -> dict[str, bytes | str]:
    """Return every file of a folder but git's own, links by where they lead."""
    found: dict[str, bytes | str] = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if name.startswith(".git/") and name != ".git/info/exclude":
            continue
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def outcomes(changes: list[doors.Change]) -> set[str]:
    """Return what became of all doors."""
    return {each.outcome for each in changes} - {"left out", "not there"}


def broken(changes: list[doors.Change]) -> dict[str, str]:
    """Return why files were left as they were."""
    return {each.file: each.reason for each in changes if each.outcome == "broken"}


def test_into_nothing_and_out_again(place: doors.Place) -> None:
    """Every agent's files are made, a second time changes nothing, and removing leaves no file or folder behind."""
    before = files(place.top)
    made = doors.install(place, EVERY, "gitlineage")
    assert outcomes(made) == {"installed"}
    assert {each.agent for each in made} == {doors.ALL, *AGENTS}
    after = files(place.top)
    assert outcomes(doors.install(place, EVERY, "gitlineage")) == {"there already"}
    assert files(place.top) == after
    settings = json.loads(after[".claude/settings.json"])
    (group,) = settings["hooks"]["SessionStart"]
    assert group["hooks"][0]["command"] == "gitlineage hook session-start --agent claude"
    assert "Bash(gitlineage prompt:*)" in settings["permissions"]["allow"]
    assert not any(
        command in str(settings["permissions"]) for command in ("run:", "record", "commit", "push", "cancel")
    )
    assert json.loads(after[".mcp.json"]) == {"mcpServers": {"gitlineage": {"command": "gitlineage", "args": ["mcp"]}}}
    assert tomllib.loads(after[".codex/config.toml"].decode())["mcp_servers"]["gitlineage"]["args"] == ["mcp"]
    assert json.loads(after[".cursor/hooks.json"])["version"] == 1
    assert outcomes(doors.remove(place, EVERY, shared=True)) == {"removed"}
    assert files(place.top) == before
    assert sorted(path.name for path in place.top.iterdir()) == [".git"]


def test_a_home(tmp_path: Path) -> None:
    """The user's own files are others: no block, and no link to a repository."""
    home = doors.Place(tmp_path)
    made = doors.install(home, EVERY, "gitlineage")
    assert outcomes(made) == {"installed"}
    assert {".claude.json", ".codex/rules/gitlineage.rules", ".gemini/policies/gitlineage.toml"} <= files(
        tmp_path
    ).keys()
    assert "AGENTS.md" not in files(tmp_path)
    assert tomllib.loads((tmp_path / ".gemini/policies/gitlineage.toml").read_text())["rule"][0]["decision"] == "allow"
    doors.remove(home, EVERY, shared=True)
    assert files(tmp_path) == {}


PIECES = [*PROJECT, *(piece for agent in EVERY for piece in agent.project)]
JSON = sorted({piece.file for piece in PIECES if isinstance(piece, Entry)})
TEXTS = sorted({piece.file for piece in PIECES if isinstance(piece, Block)})

OBJECTS = st.dictionaries(
    st.sampled_from(["hooks", "permissions", "mcpServers", "mcp", "version", "theme"]),
    st.one_of(
        st.just({}),
        st.just(
            {"SessionStart": [], "sessionStart": [{"command": "theirs"}], "allow": ["Bash(ls:*)"], "gitlineage": 1}
        ),
        st.just({"SessionStart": [{"hooks": [{"type": "command", "command": "theirs"}]}], "allow": []}),
    ),
).map(lambda value: {**value, "version": 1} if "version" in value else value)
WRITTEN = st.tuples(OBJECTS, st.sampled_from([None, 2, "\t"]), st.sampled_from(["", "\n", "\n\n"])).map(
    lambda parts: (json.dumps(parts[0], indent=parts[1]) + parts[2]).encode()
)
PROSE = st.sampled_from(
    [
        b"",
        b"# Rules\n",
        b"# Rules",
        b"a\r\nb\r\n",
        b"\n\n",
        b"[mcp_servers.other]\ncommand = 'x'\n",
        b"# only a comment",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    jsons=st.dictionaries(st.sampled_from(JSON), WRITTEN),
    texts=st.dictionaries(st.sampled_from(TEXTS), PROSE),
    program=st.sampled_from(["gitlineage", "/a folder/with 'quotes'/gitlineage"]),
)
def test_what_users_wrote_stays_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, jsons: dict[str, bytes], texts: dict[str, bytes], program: str
) -> None:
    """Whatever is in the agents' files, installing keeps it, and removing leaves the very bytes of before."""
    top = tmp_path_factory.mktemp("repo")
    init_repository(top)
    place = doors.Place(top, GitRepo(top))
    for file, data in {**jsons, **texts}.items():
        if file == "AGENTS.md" or not file.endswith(".md"):
            data = b"" if file == ".codex/config.toml" and data[:1] not in (b"[", b"#") else data
        (top / file).parent.mkdir(parents=True, exist_ok=True)
        (top / file).write_bytes(data)
    before = files(top)
    doors.install(place, EVERY, program)
    for file in jsons:
        old, new = json.loads(before[file]), json.loads((top / file).read_bytes())
        assert _within(old, new), file
    assert outcomes(doors.install(place, EVERY, program)) <= {"there already", "yours"}
    doors.remove(place, EVERY, shared=True)
    assert files(top) == before


def _within(old: object, new: object) -> bool:
    """Whether all that was said is still said."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and _within(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return new[: len(old)] == old
    return old == new


@pytest.mark.parametrize(
    ("file", "data", "reason"),
    [
        (".claude/settings.json", b'{"a": 1', "settings.json is broken: line 1"),
        (".claude/settings.json", b'{"a": 1} // why', "settings.json is broken: line 1: nothing more"),
        (".claude/settings.json", b"", "no value"),
        (".claude/settings.json", b'{"hooks": []}', '"hooks" is no object'),
        (".mcp.json", b"\xff\xfe", "is no UTF-8"),
        (".codex/config.toml", b"a = ", "config.toml is broken"),
        (".codex/config.toml", b"mcp_servers = {}\n", "mcp_servers.gitlineage cannot be added"),
        ("AGENTS.md", b"<!-- gitlineage:begin -->\n", "gitlineage:end"),
    ],
)
def test_a_broken_file_stays_and_stops_no_other(place: doors.Place, file: str, data: bytes, reason: str) -> None:
    """The file is named with what is wrong and stays byte for byte; all others are installed, checked and removed."""
    (place.top / file).parent.mkdir(parents=True, exist_ok=True)
    (place.top / file).write_bytes(data)
    before = files(place.top)
    made = doors.install(place, EVERY, "gitlineage")
    assert broken(made).keys() == {file} and reason in f"{file} {broken(made)[file]}"
    assert outcomes(made) == {"broken", "installed"}
    assert {each.file for each in made if each.outcome == "installed"} >= {".cursor/mcp.json", "opencode.json"} - {file}
    after = files(place.top)
    assert after[file] == data and len(after) > len(before)
    assert {each.file for each in check(place, EVERY, "true") if "broken" in each.state} >= {file}
    gone = doors.remove(place, EVERY, shared=True)
    assert broken(gone).keys() <= {file} and outcomes(gone) <= {"broken", "removed"}
    assert files(place.top) == before


def test_comments_where_the_agent_allows_them(place: doors.Place) -> None:
    """Comments and a last comma stay in files whose agents allow them, and opencode's other name is taken."""
    gemini, opencode = place.top / ".gemini" / "settings.json", place.top / "opencode.jsonc"
    gemini.parent.mkdir()
    gemini.write_text('// mine\n{\n  "hooks": {}, // none yet\n}\n')
    opencode.write_text('{\n  // rules\n  "permission": {"bash": {"*": "ask"}},\n}\n')
    before = files(place.top)
    doors.install(place, [AGENTS["gemini"], AGENTS["opencode"]], "gitlineage")
    assert "// none yet" in gemini.read_text() and "// rules" in opencode.read_text()
    assert '"gitlineage prompt*": "allow"' in opencode.read_text()
    assert not (place.top / "opencode.json").exists()
    doors.remove(place, EVERY, shared=True)
    assert files(place.top) == before


def test_what_is_the_users_is_not_touched(place: doors.Place) -> None:
    """A server of our name that somebody set up, and a hook of ours that somebody changed, stay and are named."""
    server = {"command": "uvx", "args": ["gitlineage", "mcp"]}
    (place.top / ".mcp.json").write_text(json.dumps({"mcpServers": {"gitlineage": server}}))
    doors.install(place, [AGENTS["claude"]], "gitlineage")
    path = place.top / ".claude" / "settings.json"
    path.write_text(path.read_text().replace('"timeout": 10', '"timeout": 60'))
    skill = place.top / ".claude/skills/gitlineage/SKILL.md"
    skill.write_text(skill.read_text() + "\nMore of mine.\n")
    again = {(each.door, each.outcome, each.reason) for each in doors.install(place, [AGENTS["claude"]], "gitlineage")}
    assert ("skill", "yours", "it was changed by hand") in again
    gone = {each.door: each.outcome for each in doors.remove(place, [AGENTS["claude"]], shared=True)}
    assert (gone["mcp"], gone["hook"], gone["skill"]) == ("yours", "yours", "yours")
    assert '"timeout": 60' in path.read_text() and "Bash(gitlineage" not in path.read_text()
    assert "uvx" in (place.top / ".mcp.json").read_text()
    assert "More of mine." in skill.read_text()


def test_another_program_and_an_older_version_are_brought_up_to_date(place: doors.Place) -> None:
    """What names another program is ours all the same: it is replaced, and removed."""
    doors.install(place, EVERY, "/old place/bin/gitlineage")
    assert "'/old place/bin/gitlineage' hook" in (place.top / ".claude/settings.json").read_text()
    assert outcomes(doors.install(place, EVERY, "gitlineage")) == {"updated", "there already"}
    assert "/old place" not in "".join(str(data) for data in files(place.top).values())
    doors.install(place, EVERY, "/new/gitlineage")
    doors.remove(place, EVERY, shared=True)
    assert sorted(path.name for path in place.top.iterdir()) == [".git"]


def test_one_agent_of_several(place: doors.Place) -> None:
    """Removing one agent leaves the others and what all of them read."""
    doors.install(place, EVERY, "gitlineage")
    doors.remove(place, [AGENTS["claude"]], shared=False)
    left = files(place.top)
    assert not any(name.startswith((".claude", ".mcp")) for name in left)
    assert {"AGENTS.md", ".codex/config.toml", ".agents/skills/gitlineage/SKILL.md"} <= left.keys()


def test_links(place: doors.Place, tmp_path: Path) -> None:
    """A link inside is followed and stays one; what leads out of the repository, or nowhere, is refused."""
    (place.top / "AGENTS.md").write_text("# Rules\n")
    (place.top / "CLAUDE.md").symlink_to("AGENTS.md")
    doors.install(place, [AGENTS["claude"]], "gitlineage")
    assert (place.top / "AGENTS.md").read_text().count("gitlineage:begin") == 1
    assert (place.top / "CLAUDE.md").is_symlink()
    doors.remove(place, EVERY, shared=True)
    assert (place.top / "AGENTS.md").read_text() == "# Rules\n"
    (tmp_path / "elsewhere.json").write_text("{}")
    (place.top / ".mcp.json").symlink_to(tmp_path / "elsewhere.json")
    assert "leads out of the repository" in broken(doors.install(place, [AGENTS["claude"]], "gitlineage"))[".mcp.json"]
    assert (tmp_path / "elsewhere.json").read_text() == "{}"
    (place.top / ".mcp.json").unlink()
    doors.remove(place, EVERY, shared=True)
    (place.top / ".claude").symlink_to(tmp_path)
    said = broken(doors.install(place, [AGENTS["claude"]], "gitlineage"))
    assert said and all(file.startswith(".claude/") and "leads out" in reason for file, reason in said.items())
    doors.remove(place, EVERY, shared=True)
    (place.top / ".claude").unlink()
    (place.top / ".mcp.json").symlink_to("gone.json")
    assert "leads nowhere" in broken(doors.install(place, [AGENTS["claude"]], "gitlineage"))[".mcp.json"]


def test_a_file_that_takes_in_another(place: doors.Place) -> None:
    """CLAUDE.md that takes AGENTS.md in gets no second block; one that does not gets its own."""
    (place.top / "CLAUDE.md").write_text("@AGENTS.md\n\nMine.\n")
    (place.top / "GEMINI.md").write_text("Mine.\n")
    doors.install(place, [], "gitlineage")
    assert (place.top / "CLAUDE.md").read_text() == "@AGENTS.md\n\nMine.\n"
    assert "gitlineage run" in (place.top / "GEMINI.md").read_text()


def test_modes_stay(place: doors.Place) -> None:
    """A file keeps its permissions."""
    path = place.top / ".mcp.json"
    path.write_text("{}\n")
    path.chmod(0o600)
    doors.install(place, [AGENTS["claude"]], "gitlineage")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failing_disk_changes_nothing(place: doors.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one file cannot be written, those written before it are as they were."""
    (place.top / "AGENTS.md").write_text("# Rules\n")
    before = files(place.top)

    def full(path: Path, data: bytes) -> None:
        if path.name == "config.toml":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_whole(path, data)

    monkeypatch.setattr(doors, "write_whole", full)
    with pytest.raises(StorageError, match=r"cannot write \.codex/config\.toml: No space left.*nothing was changed"):
        doors.install(place, [AGENTS["codex"]], "gitlineage")
    assert files(place.top) == before


def test_a_repository_that_cannot_be_written(place: doors.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git's own folder takes no file, one line says so and all is as it was."""
    before = files(place.top)

    def refused(path: Path, data: bytes) -> None:
        if path.name == "exclude":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        write_whole(path, data)

    monkeypatch.setattr(doors, "write_whole", refused)
    with pytest.raises(StorageError, match=r"^cannot write info/exclude: Permission denied; nothing was changed$"):
        doors.install(place, [AGENTS["claude"]], "gitlineage")
    assert files(place.top) == before


def test_a_file_that_is_none(place: doors.Place) -> None:
    """A folder where a file is to be, or a file where a folder is, is refused by name."""
    (place.top / ".codex").write_text("in the way")
    said = broken(doors.install(place, [AGENTS["codex"]], "gitlineage"))
    assert said[".codex/hooks.json"] == "cannot be read: Not a directory"
    (place.top / ".mcp.json").mkdir()
    assert "cannot be read" in broken(doors.install(place, [AGENTS["claude"]], "gitlineage"))[".mcp.json"]


def test_rules_for_ignored_files_that_cannot_be_edited(place: doors.Place) -> None:
    """Where git's list of ignored files is broken, that is said, and the doors are opened all the same."""
    exclude = place.top / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("# gitlineage:begin\n")
    made = doors.install(place, [AGENTS["claude"]], "gitlineage")
    assert "gitlineage:end" in broken(made)["info/exclude"] and (place.top / ".mcp.json").exists()
    assert exclude.read_text() == "# gitlineage:begin\n"


def test_snapshots_do_not_hold_what_was_made(place: doors.Place, git: Callable[..., str]) -> None:
    """Files that are made are ignored by git until somebody adds them; files that were there stay in snapshots."""
    (place.top / "train.py").write_text("lr = 1\n")
    (place.top / "AGENTS.md").write_text("# Rules\n")
    doors.install(place, EVERY, "gitlineage")
    assert git("status", "--porcelain", "--untracked-files=all") == "?? AGENTS.md\n?? train.py"
    assert git("check-ignore", ".mcp.json") == ".mcp.json"
    git("add", "-f", ".mcp.json")
    assert "A  .mcp.json" in git("status", "--porcelain")
    doors.remove(place, EVERY, shared=True)
    assert "gitlineage" not in (place.top / ".git/info/exclude").read_text()


def test_who_is_in_use(tmp_path: Path) -> None:
    """An agent is found by its folder here, its folder in the home, or its program."""
    top, home = tmp_path / "top", tmp_path / "home"
    (top / ".claude").mkdir(parents=True)
    (home / ".codex").mkdir(parents=True)
    found = doors.detected(EVERY, top, home, lambda name: "/bin/x" if name == "gemini" else None)
    assert found == {"claude": ".claude", "codex": "~/.codex", "gemini": "the program gemini"}
    (top / ".github").mkdir()
    (top / ".github/copilot-instructions.md").touch()
    assert doors.detected(EVERY, top, home, lambda name: None)["copilot"] == ".github/copilot-instructions.md"
