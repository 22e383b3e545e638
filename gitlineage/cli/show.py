"""The command show: everything about one snapshot, its trials, its kin, its content and its history."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer

from gitlineage.cli import layout, listing, look, options, output, repair, walk
from gitlineage.cli.commands import Paged, command, commands
from gitlineage.cli.opening import opened
from gitlineage.journal.events import Log, TrialEvent
from gitlineage.journal.journal import Problem, Recorded
from gitlineage.model.records import Snapshot, TrialView
from gitlineage.query import ancestry
from gitlineage.query.names import resolve
from gitlineage.record.derived import exp_ref
from gitlineage.store.store import LineageStore
from gitlineage.text import counted

app = commands()
_KIN = 8
"""How many children, siblings and equals are named before the rest are counted."""


_LINES = 10
"""Lines of the end of a log that are shown."""


@command(app, "show", "gitlineage show best", Paged)
def show(
    ctx: typer.Context,
    name: options.Id,
    same: Annotated[bool, typer.Option("--same", help="List only the other snapshots with the same content.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    Show all that is known about one snapshot

    Its names, what it came from and what came from it, its cohort, every column of its trials, its files against the
    first parent, and every version of its rows. Note lines that are no events are skipped with a warning.
    """
    with opened(ctx) as store:
        if same:
            walk.print_all(store, as_json, lambda views: ancestry.same_oids(views, resolve(views, name)))
            output.check_written()
            return
        snapshot = store.snapshot(name)
        # what cannot be told whole ends it before the first line
        ancestry.child_oids(store.ledger.views(), snapshot.oid)
        history = list(_history(store, snapshot))
        for entry in history:
            if isinstance(entry, Problem):
                store.ledger.watcher.note(str(entry))
        recorded = [entry for entry in history if isinstance(entry, Recorded)]
        if as_json:
            output.json_line(_object(store, snapshot, recorded))
        else:
            _print(store, snapshot, recorded)


def _history(store: LineageStore, snapshot: Snapshot) -> Iterator[Recorded | Problem]:
    """Return what every writer's note says about a snapshot, malformed lines first, then events in their order."""
    entries = [
        entry
        for writer, tip in store.ledger.counting().items()
        for entry in store.ledger.journal.told(writer, tip, snapshot.oid)
        if isinstance(entry, Problem) or store.ledger.hears(entry)
    ]
    yield from (entry for entry in entries if isinstance(entry, Problem))
    events = [entry for entry in entries if isinstance(entry, Recorded)]
    yield from sorted(events, key=lambda entry: (entry.event.clock, entry.writer))


# -- for people ----------------------------------------------------------------------------------------------------


def _print(store: LineageStore, snapshot: Snapshot, history: list[Recorded]) -> None:
    views = store.ledger.views().on_snapshot(snapshot.oid)
    name = store.ledger.views().name
    title = output.clean(name(snapshot.oid))
    subject = layout.fitted(snapshot.subject, layout.width(title) + 2)
    output.say(f"{output.paint(title, 'bold')}  {subject}".rstrip())
    output.say()
    layout.facts(
        [
            ("commit", snapshot.oid),
            ("content", snapshot.tree),
            ("names", _listed(_names(store, snapshot, views))),
            ("author", output.clean(snapshot.author)),
            ("date", snapshot.time),
            ("recorded by", output.clean(snapshot.writer) or "nobody"),
            *_parents(store, snapshot),
            *_reparented(store, snapshot),
            ("children", _kin(store, ancestry.child_oids(store.ledger.views(), snapshot.oid))),
            ("same content", _kin(store, _same(store, snapshot))),
            ("rewritten from", _kin(store, [each.oid for each in store.rewritten_from(snapshot.oid)])),
            ("rewritten as", _kin(store, [each.oid for each in store.rewritten_as(snapshot.oid)])),
            ("cites (inferred)", _listed([each.target for each in store.infer(snapshot.oid)])),
            ("cohort", output.clean(snapshot.cohort or "")),
            ("siblings", _siblings(store, snapshot)),
            ("saw", ", ".join(dict.fromkeys(output.clean(view.saw) for view in views if view.saw))),
        ]
    )
    logs = _logs(history)
    for view in views:
        _print_row(view)
        _print_log(logs.get(view.trial.exp_id))
    _print_content(store, snapshot)
    _print_history(store, snapshot, history)


def _names(store: LineageStore, snapshot: Snapshot, views: list[TrialView]) -> list[str]:
    names = [view.label for view in views] + ([snapshot.name] if snapshot.name else [])
    best = store.ledger.views().best(stand_in=False)
    if best is not None and best.oid == snapshot.oid:
        names.append("best")
    return names + [
        ref
        for view in views
        if store.ledger.repo.ref(ref := exp_ref(store.ledger.namespace, view.label)) == snapshot.oid
    ]


def _same(store: LineageStore, snapshot: Snapshot) -> list[str]:
    """Return the other snapshots of the same content; none of a stub, whose content nobody knows."""
    return [] if snapshot.stub else ancestry.same_oids(store.ledger.views(), snapshot.oid)


def _parents(store: LineageStore, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return a line for each parent and inspiration, with its role; ordinary commits are marked."""
    above, views = list(store.parents(snapshot.oid)), store.ledger.views()
    repo = store.ledger.repo
    # a trailer may say anything
    absent = [oid for oid in snapshot.inspirations if not (repo.exists(oid) and repo.kind(oid) == "commit")]
    above += [views.snapshot(oid) for oid in snapshot.inspirations if oid not in absent]
    lines = []
    for at, each in enumerate(above):
        words = [
            output.clean(views.name(each.oid)),
            each.oid[: listing.SHORT],
            snapshot.roles.get(each.oid, ""),
        ]
        words += ["inspiration"] if each.oid in snapshot.inspirations else []
        words += [] if each.recorded else ["(unrecorded)"]
        words += ["(stub)"] if each.stub else []
        lines.append(("from" if at == 0 else "and", "  ".join(filter(None, words))))
    return lines + [("named", f"{oid[: listing.SHORT]}  inspiration  (no commit here)") for oid in absent]


def _reparented(store: LineageStore, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return a line for each word about its parents, and one for those that its commit has."""
    said = [("reparented", repair.words(store, each)) for each in store.reparentings(snapshot.oid)]
    return [("git parents", repair.derived(store, store.ledger.repo.parents(snapshot.oid))), *said] if said else []


def _kin(store: LineageStore, oids: Sequence[str]) -> str:
    names = store.ledger.views().labels.names(oids[:_KIN])
    return _listed(list(names.values()), len(oids))


def _siblings(store: LineageStore, snapshot: Snapshot) -> str:
    numbers, untried = _cohort(store, snapshot)
    return _listed(_names_of(store, numbers[:_KIN], untried[:_KIN]), len(numbers) + len(untried))


def _sibling_names(store: LineageStore, snapshot: Snapshot) -> list[str]:
    """Return the names of the cohort's other members: their trials, or themselves where they have none."""
    return _names_of(store, *_cohort(store, snapshot))


def _cohort(store: LineageStore, snapshot: Snapshot) -> tuple[list[int], list[str]]:
    """Return the trials on a cohort's other members, by their numbers in the index, and the members that have none."""
    if snapshot.cohort is None:
        return [], []
    rows = store.ledger.views().index.rows
    numbers = rows(
        "SELECT t.id FROM snapshots s JOIN trials t ON t.snapshot = s.id WHERE s.cohort = ? AND s.oid <> ? "
        "ORDER BY t.clock, t.writer",
        snapshot.cohort,
        snapshot.oid,
    )
    untried = rows(
        "SELECT s.oid FROM snapshots s WHERE s.cohort = ? AND s.oid <> ? "
        "AND NOT EXISTS (SELECT 1 FROM trials t WHERE t.snapshot = s.id) ORDER BY s.clock, s.writer, s.oid",
        snapshot.cohort,
        snapshot.oid,
    )
    return [number for (number,) in numbers], [oid for (oid,) in untried]


def _names_of(store: LineageStore, numbers: Sequence[int], untried: Sequence[str]) -> list[str]:
    views = store.ledger.views()
    return [*(view.label for view in views.each(numbers)), *views.labels.names(untried).values()]


def _listed(names: Sequence[str], total: int | None = None) -> str:
    """Return the first of some names, and how many more there are."""
    left = (len(names) if total is None else total) - min(len(names), _KIN)
    shown = ", ".join(output.clean(name) for name in names[:_KIN])
    return f"{shown} and {left} more" if left else shown


def _print_row(view: TrialView) -> None:
    state = listing.status_cell(view.trial.status)
    output.say(f"\ntrial {output.paint(output.clean(view.label), 'bold')}  {output.paint(state.text, state.style)}")
    if view.retracted is not None:
        output.say(output.paint(f"  retracted: {output.clean(view.retracted)}", "magenta"))
    if changed := view.trial.changed:
        told = f"{output.clean(changed)} changed while it ran: its score may be of other code than this commit has"
        output.say(output.paint(f"  {told}", "red"))
    cells = view.trial.cells().items()
    layout.facts((f"  {output.clean(column)}", output.clean(text)) for column, text in cells if column != "exp_id")


def _logs(history: list[Recorded]) -> dict[str, Log]:
    """Return what the notes keep of the logs of a snapshot's trials, by exp id."""
    rows = (entry.event for entry in history if isinstance(entry.event, TrialEvent))
    return {event.row.get("exp_id", ""): event.log for event in rows if event.log is not None}


def _print_log(log: Log | None) -> None:
    if log is None:
        return
    layout.facts([("  log", f"{counted(log.size, 'byte')}, sha256 {output.clean(log.digest)}")])
    for line in log.tail.splitlines()[-_LINES:]:
        output.say(f"  | {output.clean(line)}")


def _print_content(store: LineageStore, snapshot: Snapshot) -> None:
    if snapshot.parents:
        stat = store.recipe_edit(snapshot.oid).diff_bytes(stat=True)
        first = output.clean(store.ledger.views().name(snapshot.parents[0]))
        output.say(f"\nfiles against {first}" if stat else f"\nfiles as in {first}")
        look.print_patch(stat)
        return
    files = store.files(snapshot.oid)
    output.say("\nfiles" if files else "\nno files")
    for path, data in files.items():
        output.say(f" {output.clean(path)}  {output.paint(counted(len(data), 'byte'), 'dim')}")


def _print_history(store: LineageStore, snapshot: Snapshot, history: list[Recorded]) -> None:
    # Imported here, because --json needs none of it.
    from gitlineage.query.audit import told

    entries = told(store.ledger.views(), snapshot.oid, history)
    if entries:
        output.say("\nhistory")
        for event, what in ((entry.event, entry.what) for entry in entries):
            output.say(f" {output.clean(event.timestamp) or '—'}  {output.clean(event.writer)}  {what}")


# -- for programs --------------------------------------------------------------------------------------------------


def _object(store: LineageStore, snapshot: Snapshot, history: list[Recorded]) -> dict[str, Any]:
    here = store.ledger.views()
    views = here.on_snapshot(snapshot.oid)
    edit = store.recipe_edit(snapshot.oid)
    return listing.snapshot_object(
        here,
        snapshot,
        names=_names(store, snapshot, views),
        children=ancestry.child_oids(here, snapshot.oid),
        same=ancestry.same_oids(here, snapshot.oid),
        siblings=_sibling_names(store, snapshot),
        rewritten_from=[each.oid for each in store.rewritten_from(snapshot.oid)],
        rewritten_as=[each.oid for each in store.rewritten_as(snapshot.oid)],
        saw=[view.saw for view in views if view.saw],
        retracted={view.label: view.retracted for view in views if view.retracted is not None},
        **repair.both(store, snapshot.oid),
        files=sorted(store.files(snapshot.oid)),
        stat=edit.diff(stat=True),
        history=[{"writer": entry.writer, **msgspec.to_builtins(entry.event)} for entry in history],
    )
