"""Two machines as far as the kernel is concerned: network namespaces with a wire between them, and nothing else."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clones import GOOD, fsck
from command_line import environment
from remotes import PATIENCE, bare, exec_path

IP = shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")
ADDRESS = "10.77.13.{}"


class Machine:
    """A network namespace with one end of the wire."""

    def __init__(self, number: int) -> None:
        self.name = f"lineage-{os.getpid()}-{number}"
        self.end = f"gl{os.getpid()}-{number}"[-15:]
        self.address = ADDRESS.format(number)

    def command(self, *words: object) -> list[str]:
        """Return the command line that runs a command on this machine."""
        return [str(IP), "netns", "exec", self.name, *map(str, words)]

    def run(self, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a command of gitlineage here."""
        command = self.command(sys.executable, "-m", "gitlineage", "-C", folder, *words)
        return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    def objects(self, *words: object, folder: Path) -> list[dict]:
        """Run a command of gitlineage that works and return the objects it printed."""
        done = self.run(*words, "--json", folder=folder)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wire(self, state: str) -> None:
        """Plug this end of the wire in (``up``) or out (``down``)."""
        _ip("-n", self.name, "link", "set", self.end, state)


def _ip(*words: str) -> None:
    subprocess.run([str(IP), *words], check=True, capture_output=True, text=True)


@pytest.fixture
def machines() -> Iterator[tuple[Machine, Machine]]:
    """Two machines, wired; skipped where the kernel or the rights do not allow it."""
    if IP is None:
        pytest.skip("the ip program is not installed: on Debian `apt-get install iproute2`")
    pair = Machine(1), Machine(2)
    with contextlib.ExitStack() as undo:
        try:
            for each in pair:
                _ip("netns", "add", each.name)
                undo.callback(subprocess.run, [IP, "netns", "del", each.name], check=False, capture_output=True)
            names = [["name", each.end, "netns", each.name] for each in pair]
            _ip("link", "add", *names[0], "type", "veth", "peer", *names[1])
            for each in pair:
                _ip("-n", each.name, "address", "add", f"{each.address}/24", "dev", each.end)
                each.wire("up")
                _ip("-n", each.name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield pair


def test_two_machines_and_a_wire(machines, tmp_path):
    """The remote is on one machine, a clone on each; without the wire a sync fails, later it is made up."""
    here, there = machines
    served = bare(tmp_path / "served" / "campaign.git")
    url = f"git://{here.address}/campaign.git"
    daemon = [Path(exec_path()) / "git-daemon", f"--listen={here.address}", f"--base-path={tmp_path / 'served'}"]
    process = subprocess.Popen(here.command(*daemon, "--export-all", "--enable=receive-pack"))
    try:
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(there.command("git", "ls-remote", url), capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline and process.poll() is None, "git daemon did not come up"
            time.sleep(0.02)
        for machine, writer in ((here, "ann"), (there, "ben")):
            folder = tmp_path / writer
            machine.objects("clone", url, folder, folder=tmp_path)
            done = machine.run("init", "--writer", writer, folder=folder)
            assert done.returncode == 0, done.stderr
            (folder / "f").write_text(writer)
            machine.objects("commit", "-m", f"by {writer}", "--metric", "1", "--exp-id", writer, folder=folder)
            assert {told["state"] for told in machine.objects("sync", folder=folder)} <= GOOD
        there.wire("down")
        done = there.run("sync", folder=tmp_path / "ben")
        assert done.returncode == 1
        assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1, done.stderr
        assert len(there.objects("log", folder=tmp_path / "ben")) == 2
        there.wire("up")
        for machine, writer in ((there, "ben"), (here, "ann"), (there, "ben")):
            assert {told["state"] for told in machine.objects("sync", folder=tmp_path / writer)} <= GOOD
        assert here.objects("log", folder=tmp_path / "ann") == there.objects("log", folder=tmp_path / "ben")
    finally:
        process.kill()
        process.wait()
    for each in (served, tmp_path / "ann", tmp_path / "ben"):
        fsck(each)
