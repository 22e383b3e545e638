"""Files that a user named for output: whole in their place, or as they were."""

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitlineage import scratch

_DESCRIPTOR = re.compile(r"/dev/(?:stdout|stderr|fd/(\d+))|/proc/self/fd/(\d+)")


def write_whole(path: Path, data: bytes) -> None:
    """Write an output file; see `replacing`."""
    with replacing(path) as output:
        output.write_bytes(data)


def write_pieces(path: Path, pieces: Iterable[bytes]) -> int:
    """Write an output file piece by piece and return how many bytes; see `replacing`."""
    with replacing(path) as output, open(output, "wb") as out:
        for piece in pieces:
            out.write(piece)
        return out.tell()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Yield the path of a scratch file to be made, which takes the place of an output file where nothing is raised.

    The place of a regular file is taken in one step, so that nobody ever reads half of it. It keeps its mode, a new
    one gets what the umask leaves. Behind a symbolic link it is the target that is replaced. A fifo, a device or a
    descriptor (``/dev/stdout``) stays what it is and has the data written into it.

    Raises:
        OSError: it cannot be written.
    """
    status = _status(path)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    straight = _descriptor(path) is not None or (status is not None and not stat.S_ISREG(status.st_mode))
    target = path if straight else Path(os.path.realpath(path))
    # A folder of its own, because what may read the file must not be able to read it before it has its mode.
    if not straight:
        scratch.sweep(str(target.parent))
    with scratch.folder(None if straight else target.parent) as folder:
        output = folder / "output"
        yield output
        if straight:
            _pour(output, target)
            return
        if status is not None:
            with suppress(OSError):  # only root may give files away
                os.chown(output, status.st_uid, status.st_gid)
            output.chmod(stat.S_IMODE(status.st_mode))
        output.replace(target)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _descriptor(path: Path) -> int | None:
    """Return which of this process's open files a path stands for, if any."""
    match = _DESCRIPTOR.fullmatch(str(path))
    if match is None:
        return None
    return int(match[1] or match[2] or ("stdout", "stderr").index(path.name) + 1)


def _pour(source: Path, target: Path) -> None:
    """Write a file's bytes into what is no regular file, or where an open file stands."""
    number = _descriptor(target)
    with source.open("rb") as data, open(target if number is None else os.dup(number), "wb") as out:
        shutil.copyfileobj(data, out)
