"""One store used by threads, tasks and forked processes: a batch stays with whoever opened it."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from gitlineage import LineageError, LineageStore, RepositoryError, Trial

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def row(exp_id: str, **cells: object) -> Trial:
    """Return a row."""
    return Trial(exp_id, status="discard", core_metric=2.0, **cells)


def names(store: LineageStore) -> list[str]:
    """Return the exp ids of a store, sorted."""
    return sorted(trial.exp_id for trial in store.all_trials())


def open_at(root: Path, writer: str) -> LineageStore:
    """Open a store of a writer."""
    return LineageStore(root, writer=writer, identity=(writer.title(), f"{writer}@example.org"))


def enter(block: AbstractContextManager[object]) -> None:
    """Enter a block, which leaves it at once."""
    with block:
        pass


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LineageStore]:
    """Give a store with a baseline."""
    with open_at(tmp_path / "repo", "alice") as opened:
        opened.append(Trial("000", status="baseline", core_metric=1.0))
        yield opened


class TestThreads:
    """Any thread may ask and record."""

    def test_readers_and_writers_on_one_store(self, store: LineageStore) -> None:
        """Eight threads record, in batches and alone, and ask in between; all of it is there once."""

        def work(name: int) -> None:
            for at in range(6):
                store.commit({"f": b"%d %d" % (name, at)}, ["000"], trial=row(f"c{name}-{at}"))
                with store.batch():
                    store.append(row(f"a{name}-{at}", parent_exp=f"c{name}-{at}"))
                    assert store.trial(f"a{name}-{at}").parent_exp == f"c{name}-{at}"
                    store.append(row(f"b{name}-{at}", parent_exp=f"a{name}-{at}"))
                assert [each.exp_id for each in store.chain_to(f"b{name}-{at}")][-3:] == [
                    f"{kind}{name}-{at}" for kind in "cab"
                ]
                assert store.best().exp_id == "000"
                views = store.ledger.views()  # models that are asked while others record
                assert views.total() <= len(views.all())

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert names(store) == sorted(
            ["000", *(f"{kind}{a}-{b}" for kind in "abc" for a in range(8) for b in range(6))]
        )
        assert store.verify() == []

    def test_two_stores_on_one_repository(self, store: LineageStore) -> None:
        """Each in its own thread, they wait for one another as two processes do."""
        with open_at(store.root, "bob") as other:

            def work(each: LineageStore) -> None:
                for at in range(15):
                    with each.batch():
                        each.append(row(f"{each.writer}{at}"))
                    each.best()

            with ThreadPoolExecutor(2) as pool:
                list(pool.map(work, [store, other]))
            wanted = sorted(["000", *(f"{name}{at}" for name in ("alice", "bob") for at in range(15))])
            assert names(store) == names(other) == wanted
        assert store.verify() == []

    def test_another_thread_waits_for_the_end_of_a_batch(self, store: LineageStore) -> None:
        """What it records and asks is not part of the batch, which is undone."""
        inside, order = threading.Event(), list[str]()

        def other() -> None:
            inside.wait()
            store.append(row("other"))
            order.append("recorded")

        thread = threading.Thread(target=other)
        thread.start()
        with suppress(ZeroDivisionError), store.batch():
            store.append(row("undone"))
            inside.set()
            order.append("undone")
            raise ZeroDivisionError
        thread.join()
        assert order == ["undone", "recorded"]
        assert names(store) == ["000", "other"]

    def test_a_thread_that_ends_leaves_no_lock(self, store: LineageStore) -> None:
        """A thread whose batch failed lets everybody else go on."""

        def fail() -> None:
            with suppress(ZeroDivisionError), store.batch():
                store.append(row("undone"))
                raise ZeroDivisionError

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        store.append(row("after"))
        with open_at(store.root, "bob") as other:
            other.append(row("other"))
        assert names(store) == ["000", "after", "other"]

    def test_to_thread(self, store: LineageStore) -> None:
        """``asyncio.to_thread`` records from the loop's threads."""

        async def main() -> None:
            await asyncio.gather(*(asyncio.to_thread(store.append, row(f"t{at}")) for at in range(20)))

        asyncio.run(main())
        assert len(store.all_trials()) == 21


class TestTasks:
    """Tasks of one thread cannot wait for one another in a plain store, and are told."""

    @pytest.mark.parametrize("verb", [lambda s: s.append(row("b")), lambda s: s.best(), lambda s: enter(s.batch())])
    @pytest.mark.parametrize("is_child", [True, False])
    def test_a_batch_is_not_shared(self, store: LineageStore, verb: Callable[..., object], is_child: bool) -> None:
        """What another task does during a batch is refused, instead of lost with it; afterwards it is done."""

        async def main() -> None:
            entered, tried = asyncio.Event(), asyncio.Event()

            async def other() -> None:
                await entered.wait()
                with pytest.raises(RepositoryError, match="another task has a batch open"):
                    verb(store)
                tried.set()

            task = None if is_child else asyncio.create_task(other())
            with suppress(ZeroDivisionError), store.batch():
                store.append(row("a"))
                entered.set()
                task = task or asyncio.create_task(other())
                await tried.wait()
                store.append(row("a2"))
                raise ZeroDivisionError
            await task
            store.append(row("after"))

        asyncio.run(main())
        assert names(store) == ["000", "after"]


def in_child(work: Callable[[], None]) -> int:
    """Run something in a forked child, and return its process id; it ends with 0 where that succeeds."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"child: {error!r}\n".encode())
        finally:
            os._exit(1)
    return child


def ended(children: list[int]) -> list[int]:
    """Wait for children, and return their exit codes."""
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


@forks
class TestFork:
    """A forked child has a store of its own; the parent's batch and lock stay the parent's."""

    def test_children_outside_a_batch_record(self, store: LineageStore) -> None:
        """Eight at once, each with the store it was born with, and the parent beside them."""
        children = [
            in_child(lambda at=at: bool(store.commit({"f": b"%d" % at}, ["000"], trial=row("*")))) for at in range(8)
        ]
        store.append(row("parent"))
        assert ended(children) == [0] * 8
        assert len(store.all_trials()) == 10
        assert len({trial.exp_id for trial in store.all_trials()}) == 10
        assert store.verify() == []

    def test_children_inside_a_batch_are_refused(self, store: LineageStore) -> None:
        """Nothing that a child does in the block is taken for recorded, and the parent's batch is whole."""

        def work() -> None:
            for verb in (
                lambda: store.append(row("lost")),
                store.best,
                lambda: enter(store.batch()),
                store.reindex,
            ):
                with pytest.raises(RepositoryError, match="forked inside a batch"):
                    verb()

        closed = open_at(store.root, "bob")
        closed.close()
        with store.batch():
            store.append(row("one"))
            assert ended([in_child(work) for _ in range(8)]) == [0] * 8
            store.append(row("two"))
        assert names(store) == ["000", "one", "two"]
        assert store.verify() == []

    def test_both_sides_leave_the_block(self, store: LineageStore) -> None:
        """The parent records the batch; the child is told that it does not, and then records on its own."""
        read, write = os.pipe()
        is_child = False
        try:
            with store.batch():
                store.append(row("one"))
                child = os.fork()
                is_child = child == 0
        except RepositoryError as error:
            if not is_child:
                raise
            try:
                os.close(write)
                os.read(read, 1)  # until the parent has let the lock go, or died
                assert "its parent records it" in str(error)
                store.append(row("child"))
                os._exit(0 if names(store) == ["000", "child", "one"] else 1)
            finally:
                os._exit(2)
        if is_child:
            os._exit(3)
        os.close(write)
        assert ended([child]) == [0]
        os.close(read)
        assert names(store) == ["000", "child", "one"]
        assert store.verify() == []

    def test_a_child_keeps_no_lock(self, store: LineageStore) -> None:
        """A child that lives on after it was born inside a batch stops nobody."""
        read, write = os.pipe()

        def stay() -> None:
            os.close(write)
            os.read(read, 1)

        with store.batch():
            store.append(row("one"))
            child = in_child(stay)
        with open_at(store.root, "bob") as other:
            assert other.ledger.lock_is_free_within(60)  # the child may still be on its way to closing its copy
            other.append(row("other"))
        os.close(write)
        assert ended([child]) == [0]
        os.close(read)

    def test_a_fork_while_another_thread_records(self, store: LineageStore) -> None:
        """The child waits for no thread that it does not have."""
        inside, done = threading.Event(), threading.Event()

        def other() -> None:
            with store.batch():
                store.append(row("thread"))
                inside.set()
                done.wait()

        thread = threading.Thread(target=other)
        thread.start()
        inside.wait()

        def ask() -> None:
            assert names(store) == ["000"]
            assert not store.ledger.lock_is_free_within(0)

        assert ended([in_child(ask)]) == [0]
        done.set()
        thread.join()
        assert names(store) == ["000", "thread"]

    def test_a_large_batch_survives_its_children(self, store: LineageStore) -> None:
        """Its second process and its packs are the parent's, whatever a child does with its copy."""
        with store.batch():
            for at in range(1200):
                store.commit({"f": b"%d" % at}, ["000"], trial=row(f"t{at}"))

            def leave() -> None:
                with suppress(LineageError):
                    store.append(row("lost"))

            assert ended([in_child(leave) for _ in range(2)]) == [0, 0]
        assert len(store.all_trials()) == 1201
        assert store.verify() == []
