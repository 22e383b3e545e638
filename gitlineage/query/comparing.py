"""
Two trials or two cohorts side by side: their scores, whether these differ by more than chance, and what only one has.

Start at `compare`. A trial stands for all runs of its content, because one run alone has no spread.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import NormalDist, fmean, median, stdev

import msgspec

from gitlineage.errors import NotFound
from gitlineage.git.repository import GitRepo
from gitlineage.model.records import Cohort, Snapshot, Task
from gitlineage.model.trial import COLUMNS, packed_values
from gitlineage.query.names import Id, resolve, trial_of
from gitlineage.query.table import Row, Table, table
from gitlineage.query.views import Views

EXACT = 20
"""Up to so many scores together, and without ties, the test counts all orders; with more it takes the normal curve."""

LEVEL = 0.05
"""A test that could not fall below this with so few scores is not made."""

_COHORTS = "lineage/cohorts/"
"""How plain git calls cohorts."""

_OWN = ("exp_id", "timestamp", "parent_exp", "baseline_exp", "snapshot_path", "job_name")
"""Columns in which any two rows differ."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """
    One of two that are compared.

    Args:
        name: what it is called.
        kind: ``trial`` or ``cohort``.
        trials: how many trials it has that count: a cohort's members', or all runs of a trial's content.
        scores: the scores of those whose score measures anything, in recording order.
        best: the name of the one with the best score.
        best_score: that score.
        mean: of the scores.
        median: of the scores.
        spread: the standard deviation of the scores (with n-1); ``None`` of fewer than two.
        statuses: how many trials ended how.
    """

    name: str
    kind: str
    trials: int = 0
    scores: tuple[float, ...] = ()
    best: str = ""
    best_score: float | None = None
    mean: float | None = None
    median: float | None = None
    spread: float | None = None
    statuses: Mapping[str, int] = {}

    def __hash__(self) -> int:
        return hash((self.kind, self.name))


class RankTest(msgspec.Struct, frozen=True, kw_only=True):
    """
    The rank-sum test of Mann, Whitney and Wilcoxon, two-sided: may the two sides come from the same distribution?

    Args:
        u: in how many pairs of one score of each side the first side's is better; a tie is half a pair.
        share: that of all pairs: 0.5 where neither side is better.
        p: how likely a difference like this, or a larger one, would be by chance alone.
        method: ``exact``, or ``normal`` with corrections for ties and continuity.
    """

    u: float
    share: float
    p: float
    method: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What one side has and the other has not, of one kind of thing."""

    what: str
    a: tuple[str, ...] = ()
    b: tuple[str, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """
    Two sides and what differs.

    Args:
        a: the first.
        b: the second.
        change: the mean of the second less that of the first; ``None`` where one has no score.
        better: the name of the side with the better mean; empty where neither is.
        test: whether the scores differ by more than chance; ``None`` where there are too few of them.
        differences: what only one of them has.
        changed: files that both have with different content.
    """

    a: Side
    b: Side
    change: float | None = None
    better: str = ""
    test: RankTest | None = None
    differences: tuple[Difference, ...] = ()
    changed: tuple[str, ...] = ()


def compare(views: Views, a: Id, b: Id) -> Comparison:
    """
    Return two trials or cohorts side by side.

    Args:
        a: the first: what names a trial, else a cohort.
        b: the second.

    Raises:
        NotFound: neither a trial nor a cohort is called so.
        Ambiguous: several are.
    """
    whole = table(views, texts=False)
    sides = [_Side(views, whole, each) for each in (a, b)]
    first, second = (side.summary(whole.task) for side in sides)
    change = second.mean - first.mean if first.mean is not None and second.mean is not None else None
    better = "" if not change else second.name if whole.task.better(change, 0) else first.name
    differences, changed = _differences(views, whole, *sides)
    return Comparison(
        a=first,
        b=second,
        change=change,
        better=better,
        test=rank_test(first.scores, second.scores, whole.task),
        differences=differences,
        changed=changed,
    )


class _Side:
    """What a name stands for, with its rows."""

    def __init__(self, views: Views, whole: Table, given: Id) -> None:
        self.row = _row(views, whole, given)
        named = _cohort(views, given)
        self.cohort = named if self.row is None else None
        if self.row is not None:
            content = self.row.content
            self.name, self.kind = self.row.label, "trial"
            self.rows = [row for row in whole.rows if row.content == content]
            if named is not None and views.note is not None:
                told = f"{given} is a trial and a cohort, and the trial was taken"
                views.note(f"{told}; `{_COHORTS}{named.name}` is the other")
        elif named is not None:
            members = set(named.members)
            self.name, self.kind = named.name, "cohort"
            self.rows = [row for row in whole.rows if row.oid in members]
        else:
            raise NotFound("trial or cohort", str(given), views.labels.nearest(str(given)))

    def summary(self, task: Task) -> Side:
        """Return the figures of its rows."""
        rows = [row for row in self.rows if row.counts]
        scored = [(row.measured, row) for row in rows if row.measured is not None]
        scores = [score for score, _ in scored]
        best = min(scored, key=lambda each: each[0] if task.lower_is_better else -each[0], default=None)
        return Side(
            name=self.name,
            kind=self.kind,
            trials=len(rows),
            scores=tuple(scores),
            best=best[1].label if best else "",
            best_score=best[0] if best else None,
            mean=fmean(scores) if scores else None,
            median=median(scores) if scores else None,
            spread=_spread(scores),
            statuses=dict(Counter(row.status for row in rows)),
        )


def _row(views: Views, whole: Table, given: Id) -> Row | None:
    """Return the trial that a name stands for, ``None`` where it stands for none; raises `Ambiguous`."""
    try:
        oid = resolve(views, given)
    except NotFound:
        return None
    on = [row for row in whole.rows if row.oid == oid]
    if len(on) > 1 and not isinstance(given, Snapshot):
        label = trial_of(views, given).label
        return next(row for row in on if row.label == label)
    return on[0] if on else None


def _cohort(views: Views, given: Id) -> Cohort | None:
    """Return the cohort that a name stands for, also as its ref is called; ``None`` where it stands for none."""
    return views.cohorts.find(given.removeprefix(_COHORTS)) if isinstance(given, str) else None


def _spread(scores: Sequence[float]) -> float | None:
    try:
        return stdev(scores) if len(scores) > 1 else None
    except OverflowError:  # scores that are worlds apart
        return math.inf


# -- the test ------------------------------------------------------------------------------------------------------


def rank_test(a: Sequence[float], b: Sequence[float], task: Task) -> RankTest | None:
    """
    Return the rank-sum test of two samples; ``None`` where they are so few that nothing could come of it.

    Exact for at most `EXACT` scores without ties, else by the normal curve.

    Args:
        a: the first sample.
        b: the second one.
        task: which score is better.
    """
    n, m = len(a), len(b)
    if n == 0 or m == 0 or 2 / math.comb(n + m, n) > LEVEL:
        return None
    ranks, ties = _ranks([*a, *b])
    low = sum(ranks[:n]) - n * (n + 1) / 2  # pairs in which a's is the higher one
    u = n * m - low if task.lower_is_better else low
    exact = not ties and n + m <= EXACT
    p = _exact(n, m, u) if exact else _normal(n, m, u, ties)
    return RankTest(u=u, share=u / (n * m), p=p, method="exact" if exact else "normal")


def _ranks(values: Sequence[float]) -> tuple[list[float], list[int]]:
    """Return the ranks of values, equal ones with the mean of theirs, and how many are equal each time."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    ties = []
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for at in order[start : end + 1]:
            ranks[at] = (start + end) / 2 + 1
        if end > start:
            ties.append(end - start + 1)
        start = end + 1
    return ranks, ties


def _exact(n: int, m: int, u: float) -> float:
    """Return how likely a U this far from its middle is, among all ways to choose n of n + m ranks."""
    ways = [[0] * (n * m + 1) for _ in range(n + 1)]
    ways[0][0] = 1
    for rank in range(1, n + m + 1):
        for taken in range(min(n, rank), 0, -1):
            step = rank - taken  # pairs that this rank wins as the taken-th chosen one
            if step <= m:
                for pairs in range(n * m, step - 1, -1):
                    ways[taken][pairs] += ways[taken - 1][pairs - step]
    tail = sum(ways[n][: int(min(u, n * m - u)) + 1])
    return min(1.0, 2 * tail / math.comb(n + m, n))


def _normal(n: int, m: int, u: float, ties: Sequence[int]) -> float:
    total = n + m
    correction = sum(tie**3 - tie for tie in ties) / (total * (total - 1))
    sigma = math.sqrt(n * m / 12 * (total + 1 - correction))
    if sigma == 0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / sigma
    return min(1.0, 2 * NormalDist().cdf(-z))


# -- what only one has ---------------------------------------------------------------------------------------------


def _differences(views: Views, whole: Table, a: _Side, b: _Side) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    differences: list[Difference] = []
    changed: tuple[str, ...] = ()
    if a.row is not None and b.row is not None:
        differences += _cells(_whole(views, a.row), _whole(views, b.row))
        differences.append(_only("line", _line(whole, a.row), _line(whole, b.row)))
        if a.row.oid != b.row.oid:
            one, other = (_files(views.repo, views.snapshot(row.oid).tree) for row in (a.row, b.row))
            differences.append(_only("files", one, other))
            changed = tuple(path for path in one if path in other and one[path] != other[path])
    else:
        for what in ("specialist", "domain"):
            differences.append(_only(what, *([getattr(row.cells, what) for row in side.rows] for side in (a, b))))
        differences.append(_only("parents", *(_parents(whole, side) for side in (a, b))))
        if a.cohort is not None and b.cohort is not None:
            told = [{f"{name}={value}": None for name, value in side.metadata.items()} for side in (a.cohort, b.cohort)]
            differences.append(_only("metadata", *told))
    return tuple(each for each in differences if each.a or each.b), changed


def _whole(views: Views, row: Row) -> Row:
    """Return a row with all of its cells."""
    sql = (
        "SELECT t.row FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE (s.oid, t.exp_id, t.writer) = (?, ?, ?)"
    )
    cells = packed_values(views.index.one(sql, row.oid, row.cells.exp_id, row.writer))[0]
    return msgspec.structs.replace(row, cells=cells)


def _cells(a: Row, b: Row) -> list[Difference]:
    """Return the columns whose cells differ."""
    names = dict.fromkeys(
        [*(name for name in COLUMNS if name not in _OWN), *(a.cells.extra or {}), *(b.cells.extra or {})]
    )
    pairs = [(name, _text(a, name), _text(b, name)) for name in names]
    return [
        Difference(what=name, a=tuple(filter(None, [one])), b=tuple(filter(None, [other])))
        for name, one, other in pairs
        if one != other
    ]


def _text(row: Row, name: str) -> str:
    value = getattr(row.cells, name, None) if name in COLUMNS else (row.cells.extra or {}).get(name)
    return "" if value is None else str(value)


def _only(what: str, a: Sequence[str] | Mapping[str, object], b: Sequence[str] | Mapping[str, object]) -> Difference:
    one, other = (dict.fromkeys(name for name in each if name) for each in (a, b))
    return Difference(what=what, a=tuple(x for x in one if x not in other), b=tuple(x for x in other if x not in one))


def _line(whole: Table, row: Row) -> list[str]:
    """Return the names on the line of primary parents to a trial, itself left out, root first."""
    numbers: dict[int, None] = {}
    here = row.parents[:1]
    while here and here[0] not in numbers:
        numbers[here[0]] = None
        here = whole.rows[here[0]].parents[:1]
    return whole.labels(list(numbers))[::-1]


def _parents(whole: Table, side: _Side) -> list[str]:
    return whole.labels([at for row in side.rows for at in row.parents])


def _files(repo: GitRepo, tree: str) -> dict[str, str]:
    return {path: entry.oid for path, entry in repo.walk_tree(tree)} if tree else {}
