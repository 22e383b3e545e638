"""
The processes of a command: started below a shell of their own, watched, measured, and ended to the last one.

Start at `Command`. A process belongs to the command if it descends from it as far as that was seen, or has its cookie
in the environment, which is how one is found that made a session of its own and whose parent is gone.
"""

import os
import resource
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

COOKIE = "GITLINEAGE_COOKIE"
"""The environment variable that all processes of a command have."""

_SHELL = """
echo $$ >"$0/process" || exit 126
exec 2>&1
trap : HUP INT QUIT TERM
"$@"
code=$?
echo $code >"$0/exit"
exit $code
"""
"""
What runs the command and keeps its exit code, so that nobody has to wait for it in order to know it.

Its standard error is the lease until its number is written down: so long somebody else does not take the run for one
whose command never began. The traps let it outlive what the command's group is sent; a command gets no trap of it.
"""

_LAST = 5.0
"""Seconds in which processes that were killed are gone, or never will be: they hang in the kernel."""

_PAUSE = 0.05
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in what the kernel counts a process's memory by."""


class Command:
    """
    A command that runs, whether this process started it or another one that is gone.

    Args:
        root: the shell above it, which leads its session.
        cookie: what the environment of its processes says.
        child: the same as a child of this process.
    """

    def __init__(self, root: psutil.Process, cookie: str, child: "subprocess.Popen[bytes] | None" = None) -> None:
        self._root = root
        self._child = child
        self._cookie = cookie
        self._known: dict[int, psutil.Process] = {root.pid: root}
        self._handle = -1
        with suppress(OSError, AttributeError):  # Linux alone has these
            self._handle = os.pidfd_open(root.pid)
        self.peak_memory = 0
        self._ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if child else 0

    @classmethod
    def start(
        cls,
        words: Sequence[str],
        *,
        files: Path,
        folder: Path,
        environment: Mapping[str, str],
        cookie: str,
        log: int,
        stdin: int | IO[bytes],
        lease: int,
        keep: Sequence[int] = (),
        memory: int | None = None,
        group: Path | None = None,
    ) -> "Command":
        """
        Start a command in a session of its own.

        Args:
            words: the command's words; the first one names a program that is there.
            files: the folder where the shell writes its number and the exit code.
            folder: where it runs.
            environment: its variables.
            cookie: one more of them.
            log: the descriptor that takes standard output and error.
            stdin: what it reads.
            lease: the descriptor that the shell holds until its number is written down.
            keep: descriptors that all its processes hold.
            memory: bytes that one process may have, roughly; the kernel refuses more.
            group: the file by which a process becomes a member of the control group for it.
        """
        child = subprocess.Popen(
            ["sh", "-c", _limited(memory, group), str(files), *words],
            cwd=folder,
            env={**environment, COOKIE: cookie},
            stdin=stdin,
            stdout=log,
            stderr=lease,
            pass_fds=keep,
            start_new_session=True,
        )
        return cls(psutil.Process(child.pid), cookie, child)

    @classmethod
    def find(cls, process: int, cookie: str) -> "Command | None":
        """Return a command whose shell has a number, which another process started; ``None`` where it has ended."""
        with suppress(psutil.Error, ValueError):
            root = psutil.Process(process)
            if _cookie(root) == cookie and root.status() != psutil.STATUS_ZOMBIE:
                return cls(root, cookie)
        return None

    @property
    def process(self) -> int:
        """The number of the shell above the command."""
        return self._root.pid

    @property
    def killed_by(self) -> int:
        """The signal that ended the shell itself, as far as this process can know that; 0 for none."""
        code = self._child.returncode if self._child is not None else None
        return -code if code is not None and code < 0 else 0

    def close(self) -> None:
        """Let go of it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    # -- watching ------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> bool:
        """Wait until the command has ended, or for so long, and return whether it has."""
        deadline = time.monotonic() + seconds
        while not self._has_ended():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self._handle >= 0:
                poll = select.poll()  # unlike select, it takes a descriptor of any number
                poll.register(self._handle, select.POLLIN)
                poll.poll(left * 1000)
            else:
                time.sleep(min(left, _PAUSE))
        return True

    def _has_ended(self) -> bool:
        if self._child is not None:
            if self._child.returncode is not None:
                return True
            try:
                pid, status, usage = os.wait4(self._child.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else waited for all children of this process
                self._child.returncode = -1
                return True
            if pid:
                self._child.returncode = os.waitstatus_to_exitcode(status)
                if usage.ru_maxrss > self._ours:  # a fork counts what this process has as its own
                    self.peak_memory = max(self.peak_memory, usage.ru_maxrss * _RSS_UNIT)
            return bool(pid)
        with suppress(psutil.Error):
            return not self._root.is_running() or self._root.status() == psutil.STATUS_ZOMBIE
        return True

    def look(self) -> int:
        """Look at all its processes, remember them, and return the bytes of memory that they have now."""
        above: dict[int, list[psutil.Process]] = {}
        for each in psutil.process_iter():
            with suppress(psutil.Error):
                above.setdefault(each.ppid(), []).append(each)
        todo = [each for each in self._known.values() if _is_alive(each)]
        self._known = {each.pid: each for each in todo}
        while todo:
            for child in above.get(todo.pop().pid, ()):
                if child.pid not in self._known:
                    self._known[child.pid] = child
                    todo.append(child)
        held = _memory(self._known.values())
        self.peak_memory = max(self.peak_memory, held)
        return held

    def measure(self) -> int:
        """Return the bytes of memory that its processes have, each page once where the system can tell; it is slow."""
        total = 0
        for each in self._known.values():
            with suppress(psutil.Error):
                info = each.memory_full_info()
                total += getattr(info, "pss", 0) or info.uss
        return total

    # -- ending --------------------------------------------------------------------------------------------

    def send(self, number: int) -> None:
        """Send a signal to its group, which is what a terminal would do."""
        if not self._has_ended():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._root.pid, number)

    def end(self, grace: float) -> None:
        """Ask all its processes to end, and kill those that have not after so many seconds."""
        self.send(signal.SIGTERM)
        self.look()
        self._send_others(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and self.alive():
            if self.wait(_PAUSE):  # the shell is gone, others are not
                time.sleep(_PAUSE)
        self.kill()

    def kill(self) -> None:
        """Kill all its processes, also those that are being made."""
        deadline = time.monotonic() + _LAST
        self.send(signal.SIGKILL)
        while alive := self.alive():
            for each in alive:
                with suppress(psutil.Error):
                    each.kill()
            if time.monotonic() > deadline:
                return
            self.wait(0)
            time.sleep(_PAUSE / 5)

    def alive(self) -> list[psutil.Process]:
        """Return its processes that live, wherever they went."""
        self.look()
        for each in psutil.process_iter():
            if each.pid not in self._known and _cookie(each) == self._cookie:
                self._known[each.pid] = each
        self._has_ended()  # or it stays a zombie
        return [each for each in self._known.values() if _is_alive(each)]

    def _send_others(self, number: int) -> None:
        """Send a signal to those that left the group."""
        for each in self.alive():
            with suppress(psutil.Error, OSError):
                if os.getpgid(each.pid) != self._root.pid:
                    each.send_signal(number)


def stray(cookie: str) -> list[psutil.Process]:
    """Return the processes that live and have a cookie in their environment."""
    return [each for each in psutil.process_iter() if _cookie(each) == cookie and _is_alive(each)]


def end_all(processes: Iterable[psutil.Process]) -> None:
    """Kill processes, and wait until they are gone."""
    living = list(processes)
    for each in living:
        with suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(living, timeout=_LAST)


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _cookie(process: psutil.Process) -> str:
    with suppress(psutil.Error, OSError):
        return process.environ().get(COOKIE, "")
    return ""


def _memory(processes: Iterable[psutil.Process]) -> int:
    """Return the memory of processes together; what each says that it shares counts once."""
    own, shared = 0, 0
    for each in processes:
        with suppress(psutil.Error):
            info = each.memory_info()
            common = getattr(info, "shared", 0)
            own += info.rss - common
            shared = max(shared, common)
    return own + shared


def _limited(memory: int | None, group: Path | None) -> str:
    """Return the shell's lines; without a group, a runaway allocation fails a gigabyte beyond what is looked for."""
    if group is not None:
        return f"echo 0 >{shlex.quote(str(group))}\n{_SHELL}"
    return f"ulimit -d {memory // 1024 + 1024 * 1024} 2>/dev/null\n{_SHELL}" if memory is not None else _SHELL
