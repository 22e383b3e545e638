"""A file, folder or stream that is to be read: its bytes, text and JSON, each read once and only when somebody asks."""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from gitlineage.bounds import MAX_INPUT, read_input
from gitlineage.bridge.formats.tables import decode
from gitlineage.errors import Invalid, StorageError

_MOST_FILES = 200_000


class Source:
    """
    What an import was pointed at.

    Args:
        path: the file or folder; ``None`` for a stream.
        name: what it is called in messages.
        data: the stream's bytes.
    """

    def __init__(self, path: Path | None, name: str = "", data: bytes | None = None) -> None:
        self.path = path
        self.name = name or (str(path) if path is not None else "standard input")
        if data is not None:
            self.data = data

    @classmethod
    def of_stream(cls, stream: BinaryIO) -> "Source":
        """Read a stream to its end."""
        return cls(None, "standard input", read_input(stream, "standard input"))

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path is not None and self.path.is_dir()

    @property
    def file(self) -> str:
        """The name that trials keep of it."""
        return self.path.name if self.path is not None else ""

    @cached_property
    def data(self) -> bytes:
        """
        Its bytes.

        Raises:
            StorageError: it cannot be read.
            TooMuch: it is too large.
        """
        assert self.path is not None
        try:
            with self.path.open("rb") as file:
                return read_input(file, self.name)
        except OSError as error:
            raise StorageError(f"cannot read {self.name}: {error.strerror or error}") from error

    @cached_property
    def _decoded(self) -> tuple[str, list[int]]:
        return decode(self.data)

    @property
    def text(self) -> str:
        """Its text; bytes that are none are replaced (`damaged` says in which lines)."""
        return self._decoded[0]

    @property
    def damaged(self) -> list[int]:
        """The lines with bytes that are no text."""
        return self._decoded[1]

    @cached_property
    def head(self) -> bytes:
        """Its first bytes; none of a folder."""
        if self.is_folder:
            return b""
        if self.path is None or "data" in self.__dict__:
            return self.data[:4096]
        try:
            with self.path.open("rb") as file:
                return file.read(4096)
        except OSError as error:
            raise StorageError(f"cannot read {self.name}: {error.strerror or error}") from error

    @cached_property
    def json(self) -> Any:
        """What it says as one JSON document; ``None`` where it is none."""
        if self.is_folder or self.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
            return None
        return json_of(self.text)

    def child(self, *names: str) -> Path | None:
        """Return the first of some paths below the folder that is there."""
        if self.path is None or not self.is_folder:
            return None
        return next((path for name in names if (path := self.path / name).exists()), None)

    def beside(self) -> Path | None:
        """Return the folder that it lies in, whose texts may say what ranks."""
        if self.path is None:
            return None
        folder = self.path if self.is_folder else self.path.parent
        return folder.parent if folder.name in (".auto", ".autoresearch") else folder


def json_of(text: str) -> Any:
    """Return the JSON document that a text is; ``None`` where it is none, or nests too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_file(path: Path) -> Any:
    """Return the JSON document in a small file; ``None`` where there is none."""
    try:
        if path.stat().st_size > MAX_INPUT:
            return None
        return json_of(decode(path.read_bytes())[0])
    except OSError:
        return None


def files_in(folder: Path, pattern: str) -> Iterator[Path]:
    """
    Return the files below a folder that a pattern names, by name.

    Raises:
        Invalid: there are too many.
        StorageError: the folder cannot be read.
    """
    try:
        paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    except OSError as error:
        raise StorageError(f"cannot read {folder}: {error.strerror or error}") from error
    if len(paths) > _MOST_FILES:
        raise Invalid(f"{folder} has {len(paths):,} files, more than the {_MOST_FILES:,} that are read")
    yield from paths


def text_of(value: Any) -> str:
    """Return a JSON value as text: a text as it is, nothing for null."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return "" if value is None else json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def mapping(value: Any) -> dict[str, Any]:
    """Return a value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """Return a value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def number_of(value: Any) -> float | None:
    """Return a finite JSON number, ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value) if abs(value) < 1e308 else float("inf")
    return number if number == number and abs(number) != float("inf") else None


ENDINGS = {
    "python": "py", "cpp": "cpp", "c++": "cpp", "c": "c", "cuda": "cu", "rust": "rs", "julia": "jl", "javascript": "js",
    "typescript": "ts", "go": "go", "java": "java", "swift": "swift", "r": "r", "json": "json", "json5": "json5",
    "markdown": "md", "text": "txt", "html": "html", "fortran": "f90", "metal": "metal", "lean": "lean", "latex": "tex",
}  # fmt: skip
"""How files of a language end."""


def code_file(code: Any, language: Any, stem: str = "program") -> dict[str, bytes] | None:
    """Return a program's text as the one file of its snapshot; ``None`` where there is none."""
    if not isinstance(code, str) or not code:
        return None
    return {f"{stem}.{ENDINGS.get(str(language).casefold(), 'txt')}": code.encode("utf-8", "replace")}
