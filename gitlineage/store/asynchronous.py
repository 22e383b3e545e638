"""
The store for programs that use asyncio: the same verbs, each awaited while a thread does the work.

Start at `AsyncLineageStore`. A batch has a thread of its own, which does what its task asks for and nothing else.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import partial, wraps
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from gitlineage.errors import RepositoryError
from gitlineage.store.store import LineageStore

P = ParamSpec("P")
R = TypeVar("R")

_PARTS = ("relations", "catalogue", "history", "remote")

_inside: "ContextVar[tuple[AsyncBatch, ...]]" = ContextVar("gitlineage_batches", default=())
"""The batches that the current task has open, or that were open where it was started."""


class AsyncBatch:
    """
    A block that records everything inside at once, or nothing; only the task that opened it has part in it.

    Args:
        store: where to record.
        message: the activity log's line.
    """

    def __init__(self, store: "AsyncLineageStore", message: str | None) -> None:
        self._store = store
        self._block: AbstractContextManager[object] = store.store.batch(message)
        self.task: asyncio.Task[Any] | None = None
        self.thread = ThreadPoolExecutor(1, "gitlineage-batch")

    def is_open_on(self, store: "AsyncLineageStore") -> bool:
        """Whether it is open, and of this store."""
        return self.task is not None and self._store is store

    async def __aenter__(self) -> "AsyncLineageStore":
        if self._store._batch_here() is not None:
            raise RepositoryError("this task has a batch open already; end it first")
        try:
            await _finished(self.thread, self._block.__enter__)
        except BaseException:
            self.thread.shutdown(wait=False)
            raise
        self.task = asyncio.current_task()
        _inside.set((*_inside.get(), self))
        return self._store

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.task = None
        _inside.set(tuple(each for each in _inside.get() if each is not self))
        try:
            await _finished(self.thread, partial(self._block.__exit__, kind, error, trace))
        finally:
            self.thread.shutdown(wait=False)


class AsyncPart:
    """
    A part of a store, such as its relations, whose verbs are awaited.

    Args:
        store: the store.
        name: which of its parts.
    """

    def __init__(self, store: "AsyncLineageStore", name: str) -> None:
        self._store = store
        self._part = getattr(store.store, name)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._part, name)

        @wraps(method)
        def verb(*args: Any, **kwargs: Any) -> Awaitable[Any]:
            return self._store._do(partial(method, *args, **kwargs))

        return verb

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._part) if not name.startswith("_") and name != "ledger"]


class AsyncLineageStore:
    """
    A `LineageStore` whose verbs are awaited: the same names, arguments, answers and errors; its properties too.

    Any number of tasks may use one. A task that is cancelled stops waiting; what it had begun to record is recorded.

    Args:
        root: as for `LineageStore`.
        options: what else a `LineageStore` is opened with.
    """

    def __init__(self, root: str | os.PathLike[str], **options: Any) -> None:
        self.store = LineageStore(root, **options)
        """The store itself."""

    @classmethod
    def of(cls, store: LineageStore) -> Self:
        """Return the asynchronous face of a store."""
        made = cls.__new__(cls)
        made.store = store
        return made

    @classmethod
    async def clone(cls, url: str | Path, folder: Path | str, **options: Any) -> Self:
        """Clone a repository as `LineageStore.clone` does, and return the store."""
        return cls.of(await asyncio.to_thread(LineageStore.clone, url, folder, **options))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say to type checkers that the store's verbs and properties are here."""

    @property
    def root(self) -> Path:
        """The repository, or the folder inside it that the store was opened with."""
        return self.store.root

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._do(self.store.close)

    def batch(self, message: str | None = None) -> AsyncBatch:
        """
        Record everything inside ``async with`` as one commit of the writer's ref: all of it or none.

        What the task records inside it can read inside. Other tasks, threads and processes wait until it ends; those
        that are started inside, which their task might wait for, are refused until then.

        Args:
            message: the activity log's line; by default it says what was recorded.
        """
        return AsyncBatch(self, message)

    def _batch_here(self) -> AsyncBatch | None:
        """
        Return the batch that the current task has open.

        Raises:
            RepositoryError: the task was started inside a batch that is open.
        """
        for batch in _inside.get():
            if batch.is_open_on(self):
                if batch.task is asyncio.current_task():
                    return batch
                raise RepositoryError("this task was started inside another task's batch, which is still open")
        return None

    def _do(self, work: Callable[[], R]) -> Awaitable[R]:
        """Have a thread do something; the batch is that of the task that asks, whichever task then waits."""
        batch = self._batch_here()
        return _answer(batch.thread if batch is not None else None, work)


async def _answer(thread: Executor | None, work: Callable[[], R]) -> R:
    """Wait for a batch's own thread, or for any."""
    answer = await (asyncio.get_running_loop().run_in_executor(thread, work) if thread else asyncio.to_thread(work))
    return AsyncLineageStore.of(answer) if isinstance(answer, LineageStore) else answer  # type: ignore[return-value]


async def _finished(thread: Executor, work: Callable[[], object]) -> None:
    """Wait until a thread has done something, even if the task is cancelled meanwhile."""
    done = asyncio.get_running_loop().run_in_executor(thread, work)
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        await done
        raise


def _awaited(method: Callable[..., R]) -> Callable[..., Awaitable[R]]:
    """Return a verb that is awaited; it looks like the store's own."""

    @wraps(method)
    def verb(self: AsyncLineageStore, /, *args: Any, **kwargs: Any) -> Awaitable[R]:
        return self._do(partial(method, self.store, *args, **kwargs))

    return verb


def _part(name: str) -> property:
    """Return the property that gives a part of the store."""
    return property(lambda self: AsyncPart(self, name), doc=getattr(LineageStore, name).__doc__)


for _name in dir(LineageStore):
    _member = getattr(LineageStore, _name)
    if _name.startswith("_") or _name in vars(AsyncLineageStore):
        continue
    if _name in _PARTS:
        setattr(AsyncLineageStore, _name, _part(_name))
    elif isinstance(_member, property) and _member.fget is not None:
        setattr(AsyncLineageStore, _name, property(_awaited(_member.fget)))
    elif callable(_member) and not hasattr(_member, "__self__"):
        setattr(AsyncLineageStore, _name, _awaited(_member))
