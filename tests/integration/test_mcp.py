"""The MCP server, asked by the SDK's own client over standard input and output and over HTTP."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import Shell, campaign, environment
from places import ROOT

from gitlineage._version import __version__
from gitlineage.agents.agent import TOOLS

TRAIN = """\
import sys, time
print("epoch 1", flush=True)
time.sleep(float(sys.argv[2]))
print("METRIC loss=" + sys.argv[1])
"""

Talk = Callable[[Any], Awaitable[None]]


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign with something to run."""
    shell = campaign(folder)
    (folder / "train.py").write_text(TRAIN)
    return shell


def talk(connected: Callable[[], Any], scenario: Talk) -> None:
    """Let a client say something to a server."""
    import anyio

    async def talking() -> None:
        async with connected() as client:
            with anyio.fail_after(120):
                await scenario(client)

    anyio.run(talking)


@contextmanager
def connecting(folder: Path, how: str) -> Iterator[Callable[[], Any]]:
    """Serve a folder over stdio or HTTP, and yield what connects a client."""
    from mcp import Client, StdioServerParameters

    words = ["-m", "gitlineage", "mcp"]
    if how == "stdio":
        parameters = StdioServerParameters(command=sys.executable, args=words, cwd=folder, env=environment())
        yield lambda: Client(parameters)
        return
    with listening(folder) as (url, token):
        yield lambda: over_http(url, token)


@contextmanager
def listening(folder: Path) -> Iterator[tuple[str, str]]:
    """Run the server on the loopback, and yield its address and its token."""
    command = [sys.executable, "-m", "gitlineage", "mcp", "--http", "0"]
    with subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = server.stderr.readline()
        match = re.fullmatch(r"note: listening at (\S+), with the token (\S+); Ctrl-C ends it\n", said)
        assert match is not None, said
        try:
            yield match[1], match[2]
        finally:
            server.terminate()
            server.wait(30)


@asynccontextmanager
async def over_http(url: str, token: str) -> AsyncIterator[Any]:
    """Connect a client over HTTP with a token."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def call(client: Any, name: str, **arguments: Any) -> Any:
    """Call a tool that works, and return what it answers: the record, or the text where there is none."""
    answer = await client.call_tool(name, arguments)
    assert not answer.is_error, answer.content[0].text
    if answer.structured_content is None:
        return answer.content[0].text
    assert json.loads(answer.content[0].text) == answer.structured_content
    return answer.structured_content


async def refused(client: Any, name: str, **arguments: Any) -> str:
    """Call a tool that does not work, and return what it says to do."""
    answer = await client.call_tool(name, arguments)
    assert answer.is_error
    return str(answer.content[0].text)


@pytest.mark.extra("mcp")
@pytest.mark.parametrize("how", ["stdio", "http"])
def test_a_trial_from_reading_to_its_verdict(shell: Shell, how: str) -> None:
    """An agent that has nothing but the server reads, asks, runs, waits with progress, and finds its trial judged."""
    command = [sys.executable, "train.py", "1.05", "1.5"]
    heard: list[float] = []

    async def progress(done: float, total: float | None, what: str | None) -> None:
        heard.append(done)

    async def scenario(client: Any) -> None:
        assert "003" in await call(client, "lineage_prompt", specialist="bold")
        board = await call(client, "leaderboard", n=1)
        assert (board["ranked_by"], board["trials"][0]["id"]) == ("loss", "003")
        assert [each["id"] for each in (await call(client, "search", query="too far"))["trials"]] == ["004"]
        assert (await call(client, "show", id="best"))["parents"] == ["001", "002"]
        assert "+two" in (await call(client, "diff", a="001"))["patch"]
        assert "+more" in (await call(client, "diff", a="002", b="003"))["patch"]
        assert (await call(client, "tried", hypothesis="cross them"))["alike"][0]["id"] == "003"
        started = await call(client, "run_start", command=command, hypothesis="a run of its own", specialist="bold")
        assert (started["ended"], started["next"]) == (False, "run_wait(id='005')")
        state = await client.call_tool("run_wait", {"id": "005", "seconds": 60}, progress_callback=progress)
        ended = state.structured_content
        assert (ended["ended"], ended["status"], ended["score"]) == (True, "keep", "1.05")
        assert heard
        assert (await call(client, "run_log", id="005", tail=1))["text"] == "METRIC loss=1.05"
        again = await refused(client, "run_start", command=command, hypothesis="the same once more")
        assert "005 tried this content with this command: keep" in again and "set repeat" in again
        recorded = await call(client, "record", id="005", notes="looks good", status="keep")
        assert recorded["trial"]["id"] == "006"
        (shell.folder / "a.txt").write_text("four\n")
        recorded = await call(client, "record", hypothesis="by hand", score=1.2)
        assert (recorded["trial"]["status"], recorded["trial"]["parent"]) == ("discard", "005")

    with connecting(shell.folder, how) as connected:
        talk(connected, scenario)
    assert shell.objects("best")[0]["id"] == "005"
    assert shell.objects("show", "005")[0]["trials"][0]["specialist"] == "bold"


@pytest.mark.extra("mcp")
def test_a_run_survives_whoever_started_it(shell: Shell) -> None:
    """The client goes, the server with it, and the run goes on; another client waits for it, and cancels one."""
    words = [sys.executable, "train.py"]

    async def start(client: Any) -> None:
        await call(client, "run_start", command=[*words, "1.0", "3"], hypothesis="long", timeout_s=60)
        await call(client, "run_start", command=[*words, "0.9", "600"], hypothesis="longer")

    async def wait(client: Any) -> None:
        ended = await call(client, "run_wait", id="005", seconds=60)
        assert (ended["status"], ended["score"]) == ("keep", "1.0")
        going = await call(client, "run_wait", id="006", seconds=0)
        assert (going["ended"], going["state"]) == (False, "running")
        gone = await call(client, "run_cancel", id="006")
        assert (gone["ended"], gone["status"]) == (True, "harness_abort")
        assert "ended already" in await refused(client, "run_cancel", id="006")

    with connecting(shell.folder, "stdio") as connected:
        talk(connected, start)
        talk(connected, wait)


@pytest.mark.extra("mcp")
def test_resources_and_the_prompt(shell: Shell) -> None:
    """Trials and patches are resources, the next trial is a prompt; what is not there says what is."""
    from mcp.shared.exceptions import MCPError

    async def scenario(client: Any) -> None:
        listed = await client.list_resources()
        assert [str(each.uri) for each in listed.resources] == ["lineage://trial/003", "lineage://trial/001"]
        templates = await client.list_resource_templates()
        assert [each.uri_template for each in templates.resource_templates] == [
            "lineage://trial/{id}",
            "lineage://diff/{a}/{b}",
        ]
        (found,) = (await client.read_resource("lineage://trial/003")).contents
        assert json.loads(found.text)["id"] == "003"
        (patch,) = (await client.read_resource("lineage://diff/001/002")).contents
        assert "+three" in patch.text
        for uri, said in (("lineage://trial/999", "gitlineage log"), ("lineage://nothing", "lineage://trial/ID")):
            with pytest.raises(MCPError, match=said):
                await client.read_resource(uri)
        (prompt,) = (await client.list_prompts()).prompts
        assert prompt.name == "next_trial"
        answer = await client.get_prompt("next_trial", {"specialist": "bold"})
        text = answer.messages[0].content.text
        assert "003" in text and text.endswith("Report the verdict in one line.")
        with pytest.raises(MCPError, match="next_trial"):
            await client.get_prompt("last_trial")

    with connecting(shell.folder, "stdio") as connected:
        talk(connected, scenario)


@pytest.mark.extra("mcp")
def test_errors_say_what_to_do(shell: Shell) -> None:
    """Whatever is wrong comes back as a line that says what would be right, and nothing is recorded."""
    before = len(shell.objects("log", "-n", "-1"))
    calls = [
        ("show", {"id": "999"}, "gitlineage log"),
        ("show", {}, "missing required field `id`"),
        ("leaderboard", {"n": 0}, "`int` >= 1"),
        ("leaderboard", {"m": 1}, "unknown field `m`"),
        ("run_wait", {"id": "005", "seconds": 91}, "<= 90"),
        ("run_wait", {"id": "999"}, "no run"),
        ("run_log", {"id": "003"}, "was made by no run"),
        ("run_start", {"command": [], "hypothesis": "x"}, "length >= 1"),
        ("run_start", {"command": ["true"], "hypothesis": "x", "parents": ["999"]}, "'999'"),
        ("record", {"id": "003", "parents": ["001"]}, "leave out id"),
        ("record", {"status": "great"}, "great"),
        ("tried", {}, "say what to look for"),
        ("tried", {"folder": "../.."}, "leads out of the repository"),
        ("sync", {}, "remote"),
        ("delete_everything", {}, "there is no tool"),
    ]

    async def scenario(client: Any) -> None:
        for name, arguments, said in calls:
            assert said in await refused(client, name, **arguments), name

    with connecting(shell.folder, "stdio") as connected:
        talk(connected, scenario)
    assert len(shell.objects("log", "-n", "-1")) == before


@pytest.mark.extra("mcp")
def test_what_an_agent_pays_for_the_tools(shell: Shell) -> None:
    """All that is said about tools, resources and the prompt is under 2 KB, each tool has its hints and its schemas."""
    expected = {
        *("lineage_prompt", "leaderboard", "show", "diff", "search", "tried", "record"),
        *("run_start", "run_wait", "run_log", "run_cancel", "sync"),
    }

    async def scenario(client: Any) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == expected
        said = [client.instructions or ""]
        lists = (await client.list_resource_templates(), await client.list_prompts())
        for found in (*tools, *lists):
            said += _said(found.model_dump(by_alias=True, exclude_none=True))
        assert 500 < len("".join(said).encode()) < 2048
        for tool in tools:
            hints = tool.annotations
            assert tool.input_schema["type"] == "object"
            assert (tool.output_schema is None) == (tool.name == "lineage_prompt")
            assert tool.output_schema is None or tool.output_schema["type"] == "object"
            assert not (hints.read_only_hint and hints.destructive_hint)
        reading = {tool.name for tool in tools if tool.annotations.read_only_hint}
        assert expected - reading == {"record", "run_start", "run_cancel", "sync"}
        assert reading == set(TOOLS), "an agent that is set up may call these without asking"
        assert {tool.name for tool in tools if tool.annotations.destructive_hint} == {"run_start", "run_cancel"}

    with connecting(shell.folder, "stdio") as connected:
        talk(connected, scenario)


def _said(value: Any) -> list[str]:
    """Return every description in what a client is told."""
    if isinstance(value, dict):
        own = [value["description"]] if isinstance(value.get("description"), str) else []
        return own + [text for each in value.values() for text in _said(each)]
    return [text for each in value for text in _said(each)] if isinstance(value, list) else []


@pytest.mark.extra("mcp")
def test_the_loopback_is_guarded(shell: Shell) -> None:
    """Without the token, with a wrong one, or from a page of another origin, nothing is answered."""
    with listening(shell.folder) as (url, token):
        cases = [({}, 401), ({"Authorization": "Bearer x"}, 401)]
        right = {"Authorization": f"Bearer {token}"}
        cases += [({**right, "Origin": "http://example.org"}, 403), ({**right, "Host": "example.org"}, 421)]
        for headers, code in cases:
            request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json", **headers})
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=30)
            assert caught.value.code == code
            caught.value.close()
        assert url.startswith("http://127.0.0.1:")


@pytest.mark.extra("mcp")
def test_no_repository(tmp_path: Path) -> None:
    """A server that was started where there is no repository says so with each answer."""

    async def scenario(client: Any) -> None:
        assert "gitlineage init" in await refused(client, "leaderboard")

    with connecting(tmp_path, "stdio") as connected:
        talk(connected, scenario)


def test_without_the_sdk(shell: Shell, tmp_path: Path) -> None:
    """Where the extra is not installed, one line says what to install."""
    (tmp_path / "mcp_types.py").write_text('raise ModuleNotFoundError("no mcp_types", name="mcp_types")\n')
    (tmp_path / "anyio.py").write_text('raise ModuleNotFoundError("no anyio", name="anyio")\n')
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-m", "gitlineage", "mcp"]
    done = subprocess.run(
        command, cwd=shell.folder, env=environment(PYTHONPATH=path), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'gitlineage[mcp]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_nobody_else_loads_the_sdk() -> None:
    """Commands that agents run often load neither the SDK nor what it brings."""
    code = (
        "import sys\nfrom gitlineage.cli import agents, app, hooks, mcp, prompt\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('mcp', 'mcp_types', 'pydantic', 'starlette')])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_registrys_file() -> None:
    """server.json says this version, in at most 100 characters what it is, and README names it as the registry asks."""
    said = json.loads((ROOT / "docs" / "server.json").read_text())
    (package,) = said["packages"]
    assert said["version"] == package["version"] == __version__
    assert package["runtimeArguments"][0]["value"] == f"gitlineage[mcp]=={__version__}"
    assert len(said["description"]) <= 100
    assert f"mcp-name: {said['name']}" in (ROOT / "README.md").read_text()
