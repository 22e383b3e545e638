"""
Autoresearch loops into a store: rows of a results file as trials on the commits of the loop's own repository.

What the file looks like is `autoresearch_format`'s, where its rows belong is `bridge.rows`'.
"""

from collections.abc import Mapping, Sequence

import msgspec

from gitlineage.bridge import autoresearch_format
from gitlineage.bridge.autoresearch_format import LoopRow, Results
from gitlineage.bridge.rows import LoopOutcome, place
from gitlineage.bridge.tsv import check_judged, task_of
from gitlineage.errors import Invalid
from gitlineage.model import tsv
from gitlineage.model.rank import ELIGIBLE
from gitlineage.model.records import Task
from gitlineage.model.trial import Trial
from gitlineage.store.store import LineageStore


def import_autoresearch(
    store: LineageStore,
    data: bytes,
    *,
    source: str,
    metric: str | None = None,
    lower_is_better: bool | None = None,
    label: str | None = None,
    statuses: Mapping[str, str] | None = None,
    branch: str | None = None,
    repair: bool = False,
    whole: bool = True,
) -> LoopOutcome:
    """
    Record every row of a loop's results on the commit that it names, all of them or none; again, it adds nothing.

    Rows that were appended since are added. A row of which a cell changed becomes a new version of its trial, the old
    one stays in history; a row that is gone from the file stays recorded. Rows on one commit are replicates; so is a
    row of another file on a commit that has one (`rows` tells when). A commit
    that is gone gets a stub with the content of the latest earlier row's commit, which is its parent; once it is here,
    its rows move to it, with what was derived from them. Exp ids, stubs
    and cells follow from the file and the repository alone, so two machines that import one loop agree. A row without a
    status is judged by its score, as one that is recorded here would be; one without a score, too, is pending.

    Args:
        store: where to; the loop's own repository.
        metric: the column that ranks trials; by default the store's, else the first one with numbers.
        lower_is_better: its direction; by default the store's, else what the rows show. One that was only assumed
            is settled by the first import whose rows or caller say it.
        label: its short name in prompts.
        statuses: what other words in the status column mean.
        branch: the loop's branch: a short hash that several commits begin with means one of its commits.
        repair: mend rows with too many or too few cells instead of refusing the file.
        whole: whether the file is finished; if not, a last line without its line end waits for the next import.

    Raises:
        BadRows: every row that breaks a rule, with line number and reason.
        Incomplete: this clone is shallow, so that commits which are not here need not be gone.
        Invalid: the metric is no column or contradicts the store's task, or there is no such branch; or rows have to be
            judged, and nothing tells by which direction.
    """
    recorded = store.ledger.recorded_task()
    results = autoresearch_format.read(
        data,
        source=source,
        statuses=statuses,
        metric=metric,
        likely=recorded.score_field if recorded else None,
        repair=repair,
        whole=whole,
    )
    task = _task(results, recorded, metric, lower_is_better, label)
    unjudged = [row for row in results.rows if not row.cells["status"]]
    check_judged(task or Task(), sum(not row.is_pending(results.metric) for row in unjudged))
    done = place(store, results.rows, source=source, metric=results.metric, task=task, branch=branch)
    return msgspec.structs.replace(done, repaired=results.repaired)


def _task(
    results: Results, recorded: Task | None, metric: str | None, lower_is_better: bool | None, label: str | None
) -> Task | None:
    """Return the task to rank by, ``None`` where no row tells it yet."""
    field = results.metric
    if recorded is not None:
        field = metric or field or recorded.score_field
    if field is None:
        if any(row.is_scored and row.cells["status"] for row in results.rows):
            raise Invalid(f"no column holds numbers to rank by; name one with --metric: {', '.join(results.columns)}")
        return None
    return task_of(recorded, field, lower_is_better, label, lambda: _direction(results.rows, field))


def _direction(rows: Sequence[LoopRow], metric: str) -> bool | None:
    """Return whether the kept rows go down, or ``None`` where they do not tell."""
    trials = [Trial.from_cells({**row.cells, "exp_id": "row"}) for row in rows]
    shown = tsv.detect_direction((tsv.Row(line=0, trial=trial, cells={}) for trial in trials), metric)
    if shown is not None:
        return shown
    kept = [score for trial in trials if trial.status in ELIGIBLE and (score := trial.number(metric)) is not None]
    return None if len(kept) < 2 or kept[0] == kept[-1] else kept[-1] < kept[0]
