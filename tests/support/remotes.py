"""
Real git servers on the loopback for tests: git daemon, smart HTTP, ssh, and a wire that can be cut; no test is here.

Each is started on a port of its own, is ready when `start` returns, and is stopped by its process id.
"""

import base64
import contextlib
import functools
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, Self

HOST = "127.0.0.1"
PATIENCE = 20.0
"""Seconds that a server has to come up; it takes a fraction of one."""

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
NO_SSHD = "sshd is not installed: on Debian `apt-get install openssh-server`"


def bare(path: Path) -> Path:
    """Make a bare repository that anybody may push to by HTTP."""
    for words in (["init", "--quiet", "--bare", str(path)], ["-C", str(path), "config", "http.receivepack", "true"]):
        subprocess.run(["git", *words], check=True, capture_output=True)
    return path


class Server:
    """
    One way to reach the repositories below a folder.

    Args:
        base: the folder.
    """

    scheme = ""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str, port: int | None = None) -> str:
        """Return the address of a repository, or of the same one behind a wire on another port."""
        return f"{self.scheme}://{HOST}:{port or self.port}/{name}"

    def variables(self) -> dict[str, str]:
        """Return the environment variables that a client needs."""
        return {}

    def command(self) -> list[str]:
        """Return the command that serves on `port` until it is killed."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start serving, after a `stop` on the same port again, and return when connections are taken."""
        said = b""
        for _ in range(5):
            port = self.port or free_port()
            self.port, before = port, self.port
            with tempfile.TemporaryFile() as log:
                self._process = subprocess.Popen(
                    self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
                if self._comes_up():
                    return self
                self.stop()
                log.seek(0)
                said = log.read()
            self.port = before
        raise AssertionError(f"{self.command()[0]} did not come up: {said.decode(errors='replace')}")

    def _comes_up(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
                return True
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """Kill the server with the processes it started; a second time does nothing."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Daemon(Server):
    """``git daemon``, which takes pushes from anybody."""

    scheme = "git"

    def command(self) -> list[str]:
        """Return the command."""
        daemon = Path(exec_path()) / "git-daemon"
        where = [f"--listen={HOST}", f"--port={self.port}", "--reuseaddr", f"--base-path={self.base}"]
        return [str(daemon), *where, "--export-all", "--enable=receive-pack", "--informative-errors"]


@functools.cache
def exec_path() -> str:
    """Return the folder of git's own programs."""
    return subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()


# -- ssh ---------------------------------------------------------------------------------------------------


class Ssh(Server):
    """
    ``sshd`` with keys of its own; nothing of the machine's or the user's configuration counts.

    Args:
        base: the folder.
        keys: a folder for the keys; made if it is missing.
    """

    scheme = "ssh"

    def __init__(self, base: Path, keys: Path) -> None:
        super().__init__(base)
        self.keys = keys
        keys.mkdir(mode=0o700, exist_ok=True)
        for name in ("host", "user"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(keys / name)]
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        (keys / "authorized").write_text((keys / "user.pub").read_text())
        (keys / "known").write_text(f"remote {(keys / 'host.pub').read_text()}")

    def url(self, name: str, port: int | None = None) -> str:
        """Return the address of a repository."""
        return f"ssh://{getpass.getuser()}@{HOST}:{port or self.port}{self.base}/{name}"

    def variables(self) -> dict[str, str]:
        """Return how git is to call ssh."""
        options = {
            "IdentityFile": self.keys / "user",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.keys / "known",
            "GlobalKnownHostsFile": os.devnull,
            "HostKeyAlias": "remote",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
        }
        return {"GIT_SSH_COMMAND": " ".join(["ssh", "-F", "none", *(f"-o {k}={v}" for k, v in options.items())])}

    def command(self) -> list[str]:
        """Return the command; it needs its absolute path, and as root a folder that Debian makes at boot only."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        settings = {
            "ListenAddress": HOST,
            "HostKey": self.keys / "host",
            "AuthorizedKeysFile": self.keys / "authorized",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "MaxStartups": 100,
        }
        (self.keys / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        return [str(SSHD), "-D", "-e", "-f", str(self.keys / "config"), "-p", str(self.port)]


# -- HTTP --------------------------------------------------------------------------------------------------


class Http(Server):
    """
    Git's smart HTTP: ``git http-backend`` behind a small server of the tests.

    Args:
        base: the folder.
        login: a name and a password that everybody has to give.
    """

    scheme = "http"

    def __init__(self, base: Path, login: tuple[str, str] | None = None) -> None:
        super().__init__(base)
        self.login = login
        self.requests: list[dict[str, str]] = []
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Serve from a thread; the socket takes connections as soon as it is there."""
        self._server = _Listening((HOST, self.port), type("Handler", (_Backend,), {"remote": self}))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop taking connections; those that are open come to their end."""
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


class _Backend(BaseHTTPRequestHandler):
    """One connection: each request is a run of ``git http-backend``, as any web server would do it."""

    remote: Http
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Answer a request."""
        with tempfile.TemporaryFile() as body:
            if not self._read_body(body):
                self.close_connection = True
                return
            self.remote.requests.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            if self.remote.login is not None and self._login() != self.remote.login:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="lineage"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body.seek(0)
            words = [Path(exec_path()) / "git-http-backend"]
            done = subprocess.Popen(words, env=self._variables(), stdin=body, stdout=subprocess.PIPE)
            with done:
                try:
                    self._answer(done)
                finally:
                    done.kill()  # where the client went away in the middle

    do_POST = do_GET

    def _read_body(self, body: BinaryIO) -> bool:
        """Take down the request's body; half a one is not for the backend, which would wait for the rest for ever."""
        told = int(self.headers.get("Content-Length", 0))
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0] or b"-1", 16):
                if size < 0 or body.write(self.rfile.read(size)) < size:
                    return False
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        elif body.write(self.rfile.read(told)) < told:
            return False
        body.flush()
        return True

    def _login(self) -> tuple[str, str] | None:
        kind, _, told = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return None
        name, _, password = base64.b64decode(told).decode().partition(":")
        return name, password

    def _variables(self) -> dict[str, str]:
        """Return what CGI says of a request; gzip and the protocol's version are git's own business."""
        path, _, query = self.path.partition("?")
        told = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}
        if "Transfer-Encoding" not in self.headers:
            told["CONTENT_LENGTH"] = self.headers.get("Content-Length", "")
        if self.remote.login is not None:
            told["REMOTE_USER"] = self.remote.login[0]
        return {
            **os.environ,
            **told,
            "GIT_PROJECT_ROOT": str(self.remote.base),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "REMOTE_ADDR": HOST,
        }

    def _answer(self, done: subprocess.Popen[bytes]) -> None:
        status, headers = "200 OK", []
        while line := done.stdout.readline().decode().strip():
            name, _, value = line.partition(": ")
            if name == "Status":
                status = value
            else:
                headers.append((name, value))
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in (*headers, ("Transfer-Encoding", "chunked")):
            if name != "Content-Length":
                self.send_header(name, value)
        self.end_headers()
        while part := done.stdout.read1(65536):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


# -- failures ----------------------------------------------------------------------------------------------


class Wire:
    """
    A wire to a server, of any kind, that tears after so many bytes.

    Args:
        port: the server's.
        upstream: how many bytes it carries to the server; ``None`` for all.
        downstream: how many it carries back.
    """

    def __init__(self, port: int, *, upstream: int | None = None, downstream: int | None = None) -> None:
        self._to = port
        self._left = [upstream, downstream]
        self.torn = 0
        self._listener = socket.create_server((HOST, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def _run(self, target: object, *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection((HOST, self._to), PATIENCE)
                except OSError:
                    client.close()
                    continue
                self._open |= {client, server}
                self._run(self._carry, client, server, 0)
                self._run(self._carry, server, client, 1)

    def _carry(self, here: socket.socket, there: socket.socket, way: int) -> None:
        with contextlib.suppress(OSError):
            while part := here.recv(4096):
                if self._left[way] is not None:
                    part = part[: self._left[way]]
                    self._left[way] -= len(part)
                there.sendall(part)
                if self._left[way] == 0:
                    self.torn += 1
                    here.shutdown(socket.SHUT_RDWR)
                    there.shutdown(socket.SHUT_RDWR)
                    return
            there.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for end in self._open:
            end.close()


@contextlib.contextmanager
def served(kind: str, folder: Path) -> Iterator[Server]:
    """Serve a folder in one of the ways: ``daemon``, ``http`` or ``ssh``."""
    made = {"daemon": Daemon, "http": Http}[kind](folder) if kind != "ssh" else Ssh(folder, folder / ".keys")
    with made as server:
        yield server
