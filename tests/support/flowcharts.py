"""The real Mermaid, in one node process that reads flowcharts; no test is here."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

from places import SUPPORT

PACKAGES = ("mermaid@11.17.2", "jsdom@29.1.1")
SECONDS = 120
_ENVIRONMENT = dict(os.environ)
"""What there was before tests were blinded: npm's own configuration is in the home."""


class Unavailable(Exception):
    """Mermaid cannot be had here."""


class Flowchart(NamedTuple):
    """What Mermaid read: nodes, edges and groups by their handles, with their texts as they are shown."""

    nodes: dict[str, str]
    kinds: dict[str, list[str]]
    edges: list[tuple[str, str, str, str]]
    groups: dict[str, tuple[str, list[str]]]
    classes: dict[str, list[str]]


class Mermaid:
    """Mermaid's parser as a process of its own; raises `Unavailable` where it cannot be installed."""

    def __init__(self) -> None:
        script = SUPPORT / "mermaid_parser.mjs"
        self._process = subprocess.Popen(
            ["node", str(script), str(_installed())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_ENVIRONMENT,
            text=True,
            encoding="utf-8",
        )

    def read(self, text: str) -> Flowchart:
        """Return what Mermaid makes of a text; an ``AssertionError`` where it refuses it."""
        watch = threading.Timer(SECONDS, self._process.kill)
        watch.start()
        try:
            print(json.dumps(text), file=self._process.stdin, flush=True)
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        finally:
            watch.cancel()
        assert "error" not in answer, f"{answer['error']}\n{text}"
        assert answer["type"] == "flowchart-v2"
        return Flowchart(
            {node["id"]: _shown(node["text"]) for node in answer["nodes"]},
            {node["id"]: node["classes"] for node in answer["nodes"]},
            [(edge["start"], edge["end"], _shown(edge["text"]), edge["stroke"]) for edge in answer["edges"]],
            {group["id"]: (_shown(group["title"]), group["nodes"]) for group in answer["groups"]},
            answer["classes"],
        )

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait(SECONDS)
        self._process.stdout.close()


def _shown(text: str) -> str:
    """Return a text with Mermaid's own marks for entity codes resolved, as it does when it draws."""
    return re.sub("ﬂ°°([0-9]+)¶ß", lambda code: chr(int(code[1])), text)


def _installed() -> Path:
    """Return the folder with Mermaid in it; it is filled once and kept beside the other temporary files."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise Unavailable("node and npm are not installed")
    version = "-".join(name.replace("@", "-") for name in PACKAGES)
    folder = Path(tempfile.gettempdir()) / f"gitlineage-tests-{os.getuid()}-{version}"
    if folder.is_dir() and folder.stat().st_uid == os.getuid():
        return folder
    fresh = Path(tempfile.mkdtemp(prefix="gitlineage-tests-mermaid-"))
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(fresh), *PACKAGES]
    try:
        done = subprocess.run(command, cwd=fresh, env=_ENVIRONMENT, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise Unavailable(f"npm could not install {' '.join(PACKAGES)}: {done.stderr.strip()[-300:]}")
        fresh.rename(folder)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm took more than {SECONDS} seconds") from None
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder
