"""gitlineage.store.asynchronous: the store's verbs awaited, and batches that keep to their task."""

import asyncio
import inspect
import pydoc
from pathlib import Path
from typing import Any

import pytest

from gitlineage import AsyncLineageStore, Duplicate, LineageStore, RepositoryError, Trial

OPTIONS: dict[str, Any] = {"writer": "alice", "identity": ("Alice", "alice@example.org")}


def row(exp_id: str, **cells: object) -> Trial:
    """Return a row."""
    return Trial(exp_id, status="discard", core_metric=2.0, **cells)


async def names(store: AsyncLineageStore) -> list[str]:
    """Return the exp ids of a store, sorted."""
    return sorted(trial.exp_id for trial in await store.all_trials())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a repository with a baseline."""
    with LineageStore(tmp_path / "repo", **OPTIONS) as store:
        store.append(Trial("000", status="baseline", core_metric=1.0))
    return tmp_path / "repo"


def test_every_verb_is_there_and_told() -> None:
    """What the store has, the asynchronous one has with the same arguments and words, its parts too."""
    verbs = {name for name, _ in inspect.getmembers(LineageStore) if not name.startswith("_")}
    assert {name for name in verbs if not hasattr(AsyncLineageStore, name)} == set()
    for name in ("append", "commit", "record", "best", "chain_to", "pull", "infer"):
        mine, theirs = getattr(AsyncLineageStore, name), getattr(LineageStore, name)
        assert inspect.signature(mine) == inspect.signature(theirs)
        assert mine.__doc__ == theirs.__doc__
    told = pydoc.plain(pydoc.render_doc(AsyncLineageStore))
    assert "append(self, trial:" in told and "Record a row alone" in told


def test_verbs_are_awaited(root: Path) -> None:
    """Answers, properties and errors are the store's own."""

    async def main() -> None:
        async with AsyncLineageStore(root, **OPTIONS) as store:
            made = await store.commit({"f": b"1"}, ["000"], trial=row("*"))
            assert made.exp_id == "001"
            assert (await store.best()).exp_id == "000"
            assert (await store.task).lower_is_better and await store.writer == "alice"
            with pytest.raises(Duplicate):
                await store.append(row("001", notes="other"))
            past = await store.replay("000")
            assert await names(past) == ["000"]
            async with store.batch():
                related = await store.relations.add("001", "000", "depends_on")
            assert await store.relations.find() == await store.get_relationships() == [related]
            assert "add" in dir(store.relations)
        assert await names(store) == ["000", "001"]

    asyncio.run(main())


def test_many_tasks_record_at_once(root: Path) -> None:
    """Forty tasks, some in batches: all of it is there."""

    async def main() -> None:
        store = AsyncLineageStore(root, **OPTIONS)

        async def one(at: int) -> None:
            if at % 4:
                await store.append(row(f"t{at}"))
                return
            async with store.batch(f"batch {at}"):
                await store.append(row(f"t{at}"))
                await asyncio.sleep(0)
                assert (await store.trial(f"t{at}")).core_metric == 2.0
                await store.append(row(f"u{at}"))

        await asyncio.gather(*map(one, range(40)))
        assert len(await store.all_trials()) == 51
        assert await store.verify() == []

    asyncio.run(main())


def test_a_batch_keeps_to_its_task(root: Path) -> None:
    """What another task records meanwhile waits, and is there although the batch is undone."""

    async def main() -> None:
        store = AsyncLineageStore(root, **OPTIONS)
        entered = asyncio.Event()

        async def other() -> None:
            await entered.wait()
            await store.append(row("other"))

        task = asyncio.create_task(other())
        with pytest.raises(ZeroDivisionError):
            async with store.batch():
                await store.append(row("undone"))
                entered.set()
                await asyncio.sleep(0)
                await store.append(row("undone too"))
                raise ZeroDivisionError
        await task
        assert await names(store) == ["000", "other"]

    asyncio.run(main())


def test_a_task_that_is_started_inside_is_refused(root: Path) -> None:
    """Its batch's task may wait for it, and both would for ever; when the batch has ended it is like any other."""

    async def main() -> None:
        store = AsyncLineageStore(root, **OPTIONS)
        ended = asyncio.Event()

        async def inner() -> None:
            await store.append(row("inner"))

        async def later() -> None:
            await ended.wait()
            await inner()

        async with store.batch():
            waits = asyncio.create_task(later())
            with pytest.raises(RepositoryError, match="started inside another task's batch"):
                await asyncio.create_task(inner())
            with pytest.raises(RepositoryError, match="has a batch open already"):
                async with store.batch():
                    pass
            # what the task itself asks for is in the batch, whoever waits for it
            await asyncio.wait_for(store.append(row("a")), 60)
            await asyncio.gather(store.append(row("b")), store.append(row("c")))
        ended.set()
        await waits
        assert await names(store) == ["000", "a", "b", "c", "inner"]

    asyncio.run(main())


@pytest.mark.parametrize("at", range(3))
def test_a_cancelled_batch_is_undone(root: Path, at: int) -> None:
    """Whenever its task is cancelled, nothing of it is recorded and the next one goes on."""

    async def main() -> None:
        store = AsyncLineageStore(root, **OPTIONS)
        steps = [asyncio.Event() for _ in range(3)]

        async def work() -> None:
            async with store.batch():
                for number, step in enumerate(steps):
                    await store.append(row(f"t{number}"))
                    step.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await steps[at].wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.append(row("after"))
        assert await names(store) == ["000", "after"]

    asyncio.run(main())


def test_clone(root: Path, tmp_path: Path) -> None:
    """A clone is asynchronous, too."""

    async def main() -> list[str]:
        store = await AsyncLineageStore.clone(root, tmp_path / "copy")
        return await names(store)

    assert asyncio.run(main()) == ["000"]
