"""
One repository's configuration, as git keeps it.

libgit2 reads git's files anew whenever one of them changes.
"""

from pathlib import Path

import pygit2

from gitlineage.errors import GitFailed, StorageError
from gitlineage.git import program
from gitlineage.git.errors import reading
from gitlineage.git.formats import Identity


class Settings:
    """The configuration of an open repository, as its base class."""

    _settings: pygit2.Config
    _repo: pygit2.Repository
    commondir: Path

    def config(self, key: str) -> str | None:
        """Return a configuration value from any of git's files, or ``None``."""
        with reading("cannot read git's configuration"):
            return self._settings[key] if key in self._settings else None  # noqa: SIM401 - it has no get()

    def configs(self, key: str) -> list[str]:
        """Return all the values of a configuration key that may be given several times."""
        with reading("cannot read git's configuration"):
            found = self._settings.get_multivar(key) if key in self._settings else ()
            return [value for value in found if value is not None]

    def flag(self, key: str, *, default: bool = False) -> bool:
        """
        Whether a configuration value is true as git reads it; the default where there is none.

        Raises:
            RepositoryError: it is neither true nor false.
        """
        with reading(f"git config {key}"):
            return bool(self._settings.get_bool(key)) if key in self._settings else default

    def set_config(self, key: str, value: str) -> None:
        """Set a value in the repository's own configuration."""
        self._write_config(key, value)

    def _write_config(self, *words: str) -> None:
        """Have git write the configuration, which keeps the file's mode whatever the umask is; libgit2 does not."""
        try:
            program.run(["config", "--file", str(self.commondir / "config"), *words])
        except GitFailed as error:
            raise StorageError(
                f"cannot write to {self.commondir / 'config'}: {error.message.strip()}; nothing was recorded"
            ) from error

    def config_values(self, key: str) -> list[str]:
        """Return all values of a key that may have several, in order."""
        with reading("cannot read git's configuration"):
            return [value or "" for value in self._settings.get_multivar(key)]

    def add_config(self, key: str, value: str) -> None:
        """Give a key of the repository's own configuration one more value, unless it has it."""
        if value not in self.config_values(key):
            self._write_config("--add", key, value)

    def replace_config(self, key: str, old: str, new: str) -> None:
        """Put another value in the place of one, where a key of the repository's own configuration has it."""
        if old in self.config_values(key):
            self._write_config("--fixed-value", "--replace-all", key, new, old)

    def remove_config(self, key: str, value: str) -> None:
        """Take a value from a key of the repository's own configuration, where it has it."""
        if value in self.config_values(key):
            self._write_config("--fixed-value", "--unset-all", key, value)

    def remotes(self) -> list[str]:
        """Return the names of the remotes, sorted."""
        with reading("cannot read git's configuration"):
            return sorted(name for name in self._repo.remotes.names() if name)

    def identity(self) -> Identity:
        """Return who commits here, by git's configuration; a neutral name where it has none."""
        return Identity(self.config("user.name") or "", self.config("user.email") or "").clean()
