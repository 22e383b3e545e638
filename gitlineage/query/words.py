"""
What writers said about what is not theirs, and what that changed: the task, somebody else's rows, the best; in words.

By default the later word holds, whoever says it; so whoever pulls is told whose word it is, from what it led
to what, and which command takes it back. Start at `told`.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from gitlineage.journal import events
from gitlineage.journal.journal import Journal
from gitlineage.model.records import Order, Task, TrialView
from gitlineage.query.audit import on
from gitlineage.query.views import Views, own_row
from gitlineage.text import one_line, to_type

_NAMED = 6
"""Cells that are named of a row that changed."""

_ROWS = 1000
"""Rows of others that are looked at; the newest words are first."""


_UNRANKED = """
SELECT id FROM trials WHERE writer = ? AND rank IS NULL AND status IS NOT NULL ORDER BY clock DESC LIMIT ?
"""
_BESIDE = """
SELECT t.exp_id, t.writer, o.writer
FROM (SELECT snapshot, exp_id FROM trials GROUP BY snapshot, exp_id HAVING count(*) > 1 LIMIT ?) s
JOIN trials t USING (snapshot, exp_id) JOIN trials o USING (snapshot, exp_id) WHERE t.writer <> o.writer
"""


class Said(NamedTuple):
    """
    One word, and what it changed in words.

    Args:
        writer: whose word it is.
        what: what it changed, from what to what.
        undo: the command by which anybody takes it back; empty where there is nothing to take back.
    """

    writer: str
    what: str
    undo: str = ""

    def __str__(self) -> str:
        return one_line(f"{self.what}; `{self.undo}` takes it back" if self.undo else self.what)


class Standing(NamedTuple):
    """
    What holds at a moment because somebody said it.

    Args:
        task: all tasks that were said, the last first.
        best: the best trial.
        rows: the last words on rows that somebody else recorded: snapshot, exp id, owner, and the order of the word.
        retractions: the last words on whether rows count.
        reparents: all words about the parents of snapshots that somebody else recorded.
        relations: all words about relations of snapshots that somebody else recorded.
        entries: the last words of the catalogue on what somebody else recorded.
        beside: rows of one exp id on one snapshot by two writers, where only owners' words count: exp id and both.
        clock: the highest clock.
        events: how many events there are.
    """

    task: tuple[tuple[Order, Task], ...]
    best: TrialView | None
    rows: frozenset[tuple[str, str, str, int, str]]
    retractions: frozenset[tuple[int, str, str, str, bool, str]]
    reparents: frozenset[tuple[int, str, str, str, str]]
    relations: frozenset[tuple[int, str, str, str, str, bool]]
    entries: frozenset[tuple[int, str, str, str]]
    beside: frozenset[tuple[str, str, str]]
    clock: int
    events: int


def standing(views: Views) -> Standing:
    """Return what holds now."""
    rows = views.index.rows
    tasks = rows("SELECT clock, writer, task FROM tasks ORDER BY clock DESC, writer DESC, task DESC")
    overruled = rows(
        "SELECT s.oid, t.exp_id, t.writer, t.last_clock, t.last_writer FROM trials t JOIN snapshots s "
        "ON s.id = t.snapshot WHERE t.last_writer <> t.writer ORDER BY t.last_clock DESC, t.last_writer LIMIT ?",
        _ROWS,
    )
    retractions = rows("SELECT clock, writer, exp_id, oid, undone, reason FROM retractions")
    reparents = rows(
        "SELECT r.clock, r.writer, r.child, r.parents, r.reason FROM reparents r "
        "LEFT JOIN snapshots s ON s.oid = r.child WHERE s.writer IS NOT r.writer"
    )
    relations = rows(
        "SELECT r.clock, r.writer, r.source, r.type, r.target, r.added FROM relation_events r JOIN snapshots s "
        "ON s.oid = r.source WHERE s.writer <> r.writer ORDER BY r.clock DESC LIMIT ?",
        _ROWS,
    )
    entries = rows(
        "SELECT e.clock, e.writer, e.oid, e.field FROM entries e JOIN snapshots s ON s.oid = e.oid "
        "WHERE s.writer <> e.writer ORDER BY e.clock DESC LIMIT ?",
        _ROWS,
    )
    beside = rows(_BESIDE, _ROWS) if views.index.speakers is not None else []
    return Standing(
        task=tuple((Order(clock, writer), msgspec.json.decode(task, type=Task)) for clock, writer, task in tasks),
        best=views.best(),
        rows=frozenset(map(tuple, overruled)),
        retractions=frozenset(map(tuple, retractions)),
        reparents=frozenset(map(tuple, reparents)),
        relations=frozenset(map(tuple, relations)),
        entries=frozenset(map(tuple, entries)),
        beside=frozenset(map(tuple, beside)),
        clock=views.index.clock,
        events=views.index.events,
    )


def told(views: Views, journal: Journal, tips: Mapping[str, str], before: Standing, own: str | None) -> list[Said]:
    """
    Return what others' words have changed since, in words.

    Args:
        before: what held then.
        own: this clone's own writer, whose words are not told.
    """
    now = standing(views)
    said = [*_leap(views, before, now)]
    if before.task or views.index.one("SELECT 1 FROM trials WHERE writer = ? LIMIT 1", own or "") is not None:
        changed = _task(before.task[:1], now.task[:1])  # else nothing of this clone's was ranked otherwise
        said += changed if before.task else _by_default(views, now.task[:1], own or "")
    said += _overruled(before.task, now.task, own)
    said += _rows(views, journal, tips, now.rows - before.rows)
    said += _repairs(views, now.retractions - before.retractions, now.reparents - before.reparents)
    said += _edges(views, now.relations - before.relations, now.entries - before.entries)
    said += _beside(now.beside - before.beside)
    said += _best(views.task, before, now)
    return [each for each in said if each.writer != own]


def earlier_task(views: Views) -> Task | None:
    """Return the last task before this one that another writer said."""
    tasks = standing(views).task
    return next((task for order, task in tasks[1:] if order.writer != tasks[0][0].writer), None)


def holding(views: Views, journal: Journal, tips: Mapping[str, str], own: str | None) -> list[Said]:
    """Return the words of others that hold now about the task, the best and what somebody else recorded."""
    now = standing(views)
    earlier = next(((at,) for at in now.task[1:] if not at[1].same(now.task[0][1])), ())
    said = [*_task(earlier, now.task[:1])] if earlier else []
    said += _rows(views, journal, tips, now.rows)
    mine = "SELECT 1 FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE (s.oid, t.exp_id, t.writer) = (?, ?, ?)"
    retracted = (each for each in now.retractions if not each[4])
    others = frozenset(each for each in retracted if views.index.one(mine, each[3], each[2], each[1]) is None)
    held = views.index.rows(
        "SELECT r.clock, r.writer, r.child, r.parents, r.reason FROM reparents r JOIN snapshots s ON s.oid = r.child "
        "WHERE r.followed AND s.writer <> r.writer AND NOT EXISTS (SELECT 1 FROM reparents o WHERE o.child = r.child "
        "AND (o.clock, o.writer) > (r.clock, r.writer))"
    )
    said += _repairs(views, others, frozenset(map(tuple, held)))
    said += _beside(now.beside)
    if now.best is not None and now.best.order.writer != own:
        writer = now.best.order.writer
        said.append(Said(writer, f"the best is {_scored(now.best, views.task)}, a row of {writer}'s"))
    return [each for each in said if each.writer != own]


def _beside(pairs: frozenset[tuple[str, str, str]]) -> Iterator[Said]:
    """Return which rows stand beside another writer's of the same exp id."""
    for exp_id, writer, other in sorted(pairs):
        yield Said(writer, f"{writer} has a row {exp_id} of its own on a snapshot where {other} has one, too")


def _edges(
    views: Views,
    relations: frozenset[tuple[int, str, str, str, str, bool]],
    entries: frozenset[tuple[int, str, str, str]],
) -> Iterator[Said]:
    """Return what was said of relations and in the catalogue about snapshots of others."""
    for _, writer, source, kind, target, added in sorted(relations):
        edge = f"{views.name(source)} {kind} {views.name(target)}"
        undo = to_type(
            "gitlineage", "relation", "end" if added else "add", views.name(source), kind, views.name(target)
        )
        yield Said(writer, f"{writer} {'says that' if added else 'ended the relation'} {edge}", undo)
    for writer, oid in sorted({(writer, oid) for _, writer, oid, _ in entries}):
        fields = sorted(field for _, other, at, field in entries if (other, at) == (writer, oid))
        yield Said(writer, f"{writer} changed the catalogue's {', '.join(fields)} of {views.name(oid)}")


def _task(before: tuple[tuple[Order, Task], ...], now: tuple[tuple[Order, Task], ...]) -> Iterator[Said]:
    if not before or not now or before[0][1].same(now[0][1]):
        return
    (order, task), was = now[0], before[0][1]
    whose = f", which {before[0][0].writer} had said,"
    what = f"{order.writer} changed the task from {_shown(was)}{whose} to {_shown(task)}"
    yield Said(order.writer, what, "gitlineage init --reassert")


def _by_default(views: Views, now: tuple[tuple[Order, Task], ...], own: str) -> Iterator[Said]:
    """Return which task came to a clone that recorded by the default one, which nobody had said, and what mends it."""
    was = Task()
    if not now or was.same(task := now[0][1]):
        return
    mine = views.each(number for (number,) in views.index.rows(_UNRANKED, own, _ROWS))
    lost = [view for view in mine if view.retracted is None and was.score(view.trial) is not None]
    writer = now[0][0].writer
    what = f"the task is {_shown(task)}, as {writer} said, not the default one that this clone recorded by"
    if lost and task.score_field != was.score_field:
        score = lost[0].trial.text(was.score_field)
        mend = to_type("gitlineage", "record", lost[0].label, "--revise", "--metric", score, "--judge")
        names = ", ".join(view.label for view in lost[:_NAMED])
        more = f" and {len(lost) - _NAMED:,} more" if len(lost) > _NAMED else ""
        what += (
            f": {names}{more} have no {task.score_field} by which they would rank; `{mend}` says that {score} is one"
        )
    yield Said(writer, what)


def _overruled(
    before: tuple[tuple[Order, Task], ...], now: tuple[tuple[Order, Task], ...], own: str | None
) -> Iterator[Said]:
    """Return whose task came that this clone's own word takes the place of; they see it once that is pushed."""
    if not now or now[0][0].writer != own:
        return
    for order, task in [each for each in now if each not in before and each[0].writer != own][:1]:
        if not task.same(now[0][1]):
            way = "lower" if task.lower_is_better else "higher"
            anew = to_type("gitlineage", "init", "--metric", task.score_field, f"--{way}-is-better", "--force")
            what = f"{order.writer} said {_shown(task)}; this clone's own word, {_shown(now[0][1])}, takes its place"
            yield Said(order.writer, f"{what}, for all once it is pushed", anew)


def _shown(task: Task) -> str:
    label = f" (label {task.short})" if task.label else ""
    return f"{task.score_field}, {'lower' if task.lower_is_better else 'higher'} is better{label}"


def _rows(
    views: Views, journal: Journal, tips: Mapping[str, str], rows: frozenset[tuple[str, str, str, int, str]]
) -> Iterator[Said]:
    """Return what rows said before somebody else's last word on them."""
    for oid, exp_id, owner, _, writer in sorted(rows, key=lambda row: (-row[3], row)):
        now, was = versions(views, journal, tips, oid, exp_id, owner)
        if now is None or was is None or now.row == was.row:
            continue
        name = next((view.label for view in views.named_exactly(exp_id) if view.oid == oid), exp_id)
        changed = ", ".join(_cells(was.row, now.row, views.task))
        what = f"{writer} changed {name}, a row of {owner}'s: {changed}"
        yield Said(writer, what, to_type("gitlineage", "record", name, "--reassert"))


def versions(
    views: Views, journal: Journal, tips: Mapping[str, str], oid: str, exp_id: str, owner: str
) -> tuple[events.TrialEvent | None, events.TrialEvent | None]:
    """
    Return the last word on a row, and the last one before it that another writer said; ``None`` for none.

    Args:
        owner: whose row it is; where only owners' words count, no other writer has said anything of it.
    """
    by_place: dict[tuple[bool, int, str], events.TrialEvent] = {}
    for each in on(journal, tips, oid):
        if views.index.speakers is not None and each.writer != owner:
            continue
        event = each.event
        if isinstance(event, events.TrialEvent) and event.row.get("exp_id") == exp_id and not views.index.refusal(each):
            by_place[bool(event.row.get("status")), event.clock, each.writer] = event
    order = sorted(by_place)
    other = [key for key in order if key[2] != order[-1][2]]
    return by_place[order[-1]] if order else None, by_place[other[-1]] if other else None


def _cells(was: Mapping[str, str], now: Mapping[str, str], task: Task) -> Iterator[str]:
    """Return the cells that differ, what ranks first."""
    first = ("status", task.score_field)
    changed = [column for column in {**was, **now} if was.get(column, "") != now.get(column, "")]
    for column in sorted(changed, key=lambda column: (column not in first, column))[:_NAMED]:
        yield f"{column} from {was.get(column) or 'nothing'} to {now.get(column) or 'nothing'}"


def _repairs(
    views: Views,
    retractions: frozenset[tuple[int, str, str, str, bool, str]],
    reparents: frozenset[tuple[int, str, str, str, str]],
) -> list[Said]:
    """Return which rows were retracted, and which snapshots reparented."""
    repairs: list[tuple[int, Said]] = []
    for clock, writer, exp_id, oid, undone, reason in retractions:
        said = f"took back that {exp_id} is retracted" if undone else f"retracted {exp_id}"
        row = own_row([view for view in views.named_exactly(exp_id) if view.oid == oid], exp_id, writer)
        name = row.label if row is not None else exp_id
        undo = to_type("gitlineage", "retract", name, *(["-m", "WHY"] if undone else ["--undo"]))
        repairs.append((clock, Said(writer, f"{writer} {said}{f': {reason}' if reason else ''}", undo)))
    for clock, writer, child, parents, reason in reparents:
        above = ", ".join(map(views.name, msgspec.json.decode(parents))) or "nothing"
        own = [views.name(parent) for parent in views.repo.parents(child)] or ["--root"]
        undo = to_type("gitlineage", "reparent", views.name(child), *own, "-m", "WHY")
        repairs.append((clock, Said(writer, f"{writer} reparented {views.name(child)} to {above}: {reason}", undo)))
    return [said for _, said in sorted(repairs)]


def _best(task: Task, before: Standing, now: Standing) -> Iterator[Said]:
    if before.best is None:
        return
    if now.best is None:
        yield Said("", f"the best was {_scored(before.best, task)}, and there is none now")
    elif _place(now.best) != _place(before.best) and (was := _scored(before.best, task)) != _scored(now.best, task):
        said = f"the best changed from {was} to {_scored(now.best, task)}"
        ranked = before.task[0][1] if before.task else Task()
        fresh = now.best.order.clock > before.clock and ranked.same(
            task
        )  # else another word made it the best, see there
        undo = to_type("gitlineage", "retract", now.best.label, "-m", "WHY") if fresh else ""
        yield Said("", f"{said}, a row of {now.best.order.writer}'s", undo)


def _place(view: TrialView) -> tuple[str, str, str]:
    """Return what tells one trial from another, whatever it is called by now."""
    return view.oid, view.trial.exp_id, view.order.writer


def _scored(view: TrialView, task: Task) -> str:
    score = view.trial.text(task.score_field)
    return f"{view.label} with {task.short} {score}" if score else view.label


def _leap(views: Views, before: Standing, now: Standing) -> Iterator[Said]:
    """Name who has a clock that the events which came cannot have led to."""
    reach = before.clock + now.events - before.events
    if now.clock > reach:
        sql = "SELECT clock, writer FROM clocks WHERE clock BETWEEN ? AND ? ORDER BY 1, 2 LIMIT 1"
        if (row := views.index.one(sql, reach + 1, now.clock)) is not None:
            what = (
                f"the clock of {row[1]} leaps to {row[0]:,} with {now.events:,} events in all, so its words come after "
                "all that was said without seeing them"
            )
            yield Said(row[1], what)
