"""
How a run ends: from what is in its folder to the result of its trial; start at `finish`.

All that it needs is written down, so whoever comes to it last comes to the same result, and a second time adds nothing.
"""

import os
import re
import shlex
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from gitlineage.bridge import artifacts
from gitlineage.errors import LineageError, NotFound
from gitlineage.house import KEEP_RUNS
from gitlineage.journal import events
from gitlineage.model import artifact
from gitlineage.model.trial import CHANGED, FailureLabel, Trial
from gitlineage.query.judge import COMMAND, Verdict
from gitlineage.run import cgroup, metric, output, place
from gitlineage.run.begin import Begun
from gitlineage.run.check import check
from gitlineage.run.outcome import Outcome, never_began, outcome
from gitlineage.run.records import TRAIN, Cause, Found, Run, State
from gitlineage.run.watch import Stop, Watcher
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, some, to_type

_LOOKED_AT = 64 * 1024 * 1024
"""Bytes of a log's end in which metrics are looked for."""

_KEPT_OUT = 20
"""Paths that a run made which the command names that keeps them out of the next snapshot."""

_OF_ONE_RUN = frozenset({"train_s", "total_s", "peak_mb", "host", "gpus", "concurrency"})
"""Columns that another run of the same fills in otherwise."""

_SAID = 64 * 1024
"""Bytes of a log's end in which messages of programs without memory are looked for."""


def finish(store: LineageStore, begun: Begun, watcher: Watcher, stop: Stop) -> Run:
    """Record how a run ended, from what is in its folder, and let go of it; doing it again adds nothing."""
    run, facts, files = begun.run, begun.run.facts, begun.files
    said = output.tail(files.log, run.log_from, limit=_SAID)
    reading = Found(missing="it did not run")
    if run.began:
        reading = metric.find(
            store.task,
            name=run.plan.metric,
            source=run.plan.metric_from,
            result=files.result,
            folder=place.inside(run),
            log=_read(files.log, run.log_from),
            since=run.began,
        )
    is_clean = facts.exit_code == 0 and facts.cause is Cause.NONE and not facts.refused
    failed = check(begun, "result", stop) if is_clean else ""
    now = place.digests(place.inside(run), tuple(run.frozen)) if is_clean else run.frozen
    told = (
        never_began()
        if not (run.began or facts.refused or facts.cause is not Cause.NONE)
        else outcome(
            facts,
            run.plan.limits,
            reading,
            said=said,
            changed=[path for path, digest in run.frozen.items() if now[path] != digest],
            check=failed,
            large=_too_large(run) if is_clean else "",
            memory=cgroup.memory(),
            exits=run.plan.exits,
        )
    )
    was_here = bool(run.began) and Path(run.folder).is_dir()
    changed, made = place.left_behind(store, run) if was_here else ([], [])
    size, digest = output.digest(files.log)
    log = events.Log(tail=output.tail(files.log, run.log_from), size=size + facts.dropped, digest=digest)
    if run.plan.steady:  # what it printed is the same wherever it ran, but for where that was
        kept_log = log.tail.replace(f"{run.folder}{os.sep}", "").encode()
        log = events.Log(tail=kept_log.decode(), size=len(kept_log), digest=sha256(kept_log).hexdigest())
    kept, lost = _keep(store, run, told)
    row, verdict = _record(store, run, told, reading, changed, kept, log)
    done = msgspec.structs.replace(
        run,
        state=State.ENDED,
        status=row.status,
        failure=told.failure,
        words=told.words or (verdict.reason if verdict else ""),
        score=reading.score,
        found=reading.where,
        log_size=log.size,
        log_digest=digest,
        made=tuple(made),
    )
    files.write(done)
    begun.lease.resolve()
    for line in (*_told(store, done, changed, reading), *lost):
        watcher.note(line)
    if not place.clear(store, done, [each.path for each in artifact.artifacts_of(row)]):
        watcher.note(f"what it made is in {done.folder}, for as long as the run's files stay (git config {KEEP_RUNS})")
    return done


def _record(
    store: LineageStore,
    run: Run,
    told: Outcome,
    reading: Found,
    changed: list[str],
    kept: str,
    log: events.Log,
) -> tuple[Trial, Verdict | None]:
    """Record a run's result on its pending trial and return the row; one that has a result already stays as it is."""
    facts, field = run.facts, store.task.score_field
    total = max(0.0, facts.ended - run.began) if run.began else 0.0
    trained = facts.train_s + (
        max(0.0, facts.ended - (facts.phase_began or run.began)) if run.began and facts.phase == TRAIN else 0.0
    )
    cells: dict[str, Any] = {
        **reading.others,
        "exp_id": run.id,
        "status": told.status.value if told.status else "",
        field: reading.score,
        "train_s": f"{trained:.3f}" if run.began else "",
        "total_s": f"{total:.3f}" if run.began else "",
        "failure": told.failure,
        "exit_code": "" if facts.exit_code is None else str(facts.exit_code),
        "metric_from": f"{reading.where} ({reading.passed})" if reading.passed and reading.where else reading.where,
        "peak_mb": f"{facts.peak_memory / 2**20:.0f}" if facts.peak_memory else "",
        "host": run.host,
        "gpus": run.gpus,
        "concurrency": str(run.concurrency),
        artifact.COLUMN: kept,
        CHANGED: ", ".join(changed)[:1000],
        "notes": "; ".join(filter(None, (run.plan.cells.get("notes", ""), told.words))),
    }
    if run.plan.steady:
        cells = {name: cell for name, cell in cells.items() if name not in _OF_ONE_RUN}
    verdict = None
    with store.batch():
        known = next((v.trial for v in store.ledger.views().on_snapshot(run.oid) if v.trial.exp_id == run.id), None)
        if known is None:
            raise NotFound("trial", run.id)
        if known.status is not None:
            return known, None
        if told.status is None:
            score = float(reading.score)
            verdict = store.judge(score, run.oid, store.snapshot(run.oid).parents, known.text(COMMAND))
            cells["verdict"] = verdict.reason
        row = Trial.from_cells({name: text for name, text in cells.items() if text})
        store.ledger.write(lambda recorder: recorder.record(run.oid, row, log=log))
    return next(v.trial for v in store.ledger.views().on_snapshot(run.oid) if v.trial.exp_id == run.id), verdict


def _keep(store: LineageStore, run: Run, told: Outcome) -> tuple[str, list[str]]:
    """Keep the files that a run made, and return the cell that lists them and what could not be kept, in words."""
    kept: list[artifact.Artifact] = []
    lost = []
    if run.began and Path(run.folder).is_dir() and told.status is not FailureLabel.SIZE_BLOCKED:
        for pattern in run.plan.artifacts:
            try:
                kept += artifacts.keep(store, place.inside(run), [pattern])
            except LineageError as error:  # the result counts for more than what could not be kept
                lost.append(str(error))
    return artifact.cell(list(dict.fromkeys(kept))), lost


def _told(store: LineageStore, run: Run, changed: list[str], reading: Found) -> Iterator[str]:
    """Return what a user should hear about a run that has ended, besides its result."""
    if reading.passed and reading.where:
        yield f"{reading.passed}, so the score was taken from {reading.where}"
    if run.failure == "no_score" and reading.hint:
        yield reading.hint
    if changed:
        put_back = to_type("gitlineage", "restore", run.id, "--force")
        back = "" if run.isolated else f"; `{put_back}` has all files as they were when it began"
        files = f"{counted(len(changed), 'file')} of the snapshot changed during the run: {some(changed)}"
        yield f"{files}; what gave the result may be neither the code of before nor that of after{back}"
    if run.made:
        file = Path(os.path.relpath(store.ledger.repo.commondir / "info" / "exclude", run.plan.folder))
        command = to_type("printf", "%s\\n", *map(_pattern, run.made[:_KEPT_OUT]))
        yield (
            f"it made {some(run.made)}, which the next snapshot would have; "
            f"`{command} >> {shlex.quote(str(file))}` keeps {'it' if len(run.made) == 1 else 'them'} out"
        )
    if run.facts.left:
        many = "1 process" if run.facts.left == 1 else f"{run.facts.left} processes"
        yield f"{many} that it left running had to be ended"
    if run.facts.dropped:
        yield f"the log was cut: {run.facts.dropped:,} bytes of {run.log_size:,} are gone (--max-log), scores too"


def _pattern(path: str) -> str:
    """Return the line of an exclude file that means one path alone."""
    return "/" + re.sub(r"([*?\[\\]|\s$)", r"\\\1", path)


def _too_large(run: Run) -> str:
    """Return which artifact is larger than it may be, in words; empty where none is."""
    limit, top = run.plan.limits.artifact, place.inside(run)
    if limit is None:
        return ""
    for pattern in run.plan.artifacts:
        for path in sorted(top.glob(pattern)):
            if path.is_file() and (size := path.stat().st_size) > limit:
                return f"the artifact {path.relative_to(top)} has {size:,} bytes; {limit:,} are allowed"
    return ""


def _read(path: Path, begin: int) -> bytes:
    """Return the end of a log, as much as is looked at for metrics."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - _LOOKED_AT))
            return file.read()
    except FileNotFoundError:
        return b""
