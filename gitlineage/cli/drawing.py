"""
The graph of some snapshots, drawn beside their lines, for `log --graph`; start at `draw`.

Git draws it: the snapshots are written as empty commits into a repository that is thrown away, so that
neither ordinary commits nor snapshots that were not asked for get into the picture.
"""

import re
from collections.abc import Mapping, Sequence

from gitlineage import scratch
from gitlineage.git import program
from gitlineage.git.repository import init_repository

_MARK = re.compile(r"^(.*?) ?<(\d+)\.(\d+)>$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def draw(nodes: Sequence[str], parents: Mapping[str, Sequence[str]], counts: Sequence[int], colour: bool) -> list[str]:
    """
    Return git's drawing, with ``<node.line>`` where a node's lines of text belong.

    Args:
        nodes: names, the newest first.
        parents: each node's parents; names that are no nodes are left out.
        counts: how many lines of text each node has.
        colour: whether the lines of the graph are coloured.
    """
    place = {name: at for at, name in enumerate(nodes)}
    stream = []
    for at in reversed(range(len(nodes))):
        known = [place[name] for name in parents.get(nodes[at], ()) if name in place and place[name] > at]
        said = "\n".join(f"<{at}.{line}>" for line in range(counts[at])).encode()
        stream += [f"commit refs/heads/{at}", f"mark :{at + 1}", f"committer x <x> {len(nodes) - at} +0000"]
        stream += [f"data {len(said)}", said.decode()]
        stream += [f"{'merge' if number else 'from'} :{parent + 1}" for number, parent in enumerate(known)]
        stream.append("")
    shades = "always" if colour else "never"
    with scratch.folder() as aside:
        init_repository(aside, bare=True)
        here = ["--git-dir", str(aside)]
        program.run([*here, "fast-import", "--quiet"], data="\n".join([*stream, "done", ""]).encode())
        drawn = program.run([*here, "log", "--graph", "--branches", "--format=%B", f"--color={shades}"])
    return [line.rstrip() for line in drawn.decode().splitlines() if _COLOUR.sub("", line).strip(" |")]


def split(line: str) -> tuple[str, tuple[int, int] | None, int]:
    """Return a drawn line's graph, the node and line of text that belong beside it, and the graph's width."""
    mark = _MARK.match(line)
    graph = mark[1] if mark else line
    return graph, (int(mark[2]), int(mark[3])) if mark else None, len(_COLOUR.sub("", graph))
