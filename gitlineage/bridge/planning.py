"""
What is to be made of a file that was read: what ranks and in which direction and why, what a word means, who is who.

`plan` is the one place where that is judged, for every format. What it cannot know it does not guess: it becomes a
`Problem` with the words that settle it, and nothing is imported. Its parts: `bridge.columns` says which column is what,
`bridge.direction` in which direction one improves.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitlineage.asking import Problem
from gitlineage.bridge import columns as judged_columns
from gitlineage.bridge import direction as judged_direction
from gitlineage.bridge.columns import Roles
from gitlineage.bridge.direction import Direction
from gitlineage.bridge.formats import numbers, words
from gitlineage.bridge.formats.found import INCOMPLETE, LOST, Found, FoundRow, NotTrials, listed
from gitlineage.errors import Unclear
from gitlineage.model.records import Task
from gitlineage.model.trial import FailureLabel, parse_number
from gitlineage.text import counted, to_type

_SHOWN = 6
_HASH = re.compile(r"[0-9a-f]{4,40}", re.IGNORECASE)
_DECORATED = re.compile(
    r"[`\[(#*'\"]*([0-9a-f]{7,40})[`\])*'\"]*(?:[+\-~ ]*(?:dirty|amended|\(.*\)|wip|\*))?[\])`]*", re.IGNORECASE
)
_NO_NAMES = {
    "head", "uncommitted", "nocommit", "no-commit", "no_commit", "draft", "dirty", "wip", "staged", "working",
    "worktree", "current", "latest", "stash", "@",
}  # fmt: skip
"""What people write for a commit that is none, or none that stays."""

_LABELS = {label.value for label in FailureLabel}
_STORED = {words.UNDECIDED: FailureLabel.DISQUALIFIED, words.CHECKS_FAILED: FailureLabel.DISQUALIFIED}
"""What a store records for classes that it has no status for: they ran, and are never the best."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """
    What whoever imports says himself.

    Args:
        metric: the column that ranks.
        lower: whether lower is better.
        label: its short name in prompts.
        statuses: what words for statuses mean, in lower case.
        other_status: what all words mean that are not known.
        skip_bad: pass over what cannot be read instead of refusing.
        fields: which column is what, by column name.
        cohort: the batch that all trials are members of.
        specialist: who made them.
        branch: the branch whose commits short hashes mean.
    """

    metric: str | None = None
    lower: bool | None = None
    label: str | None = None
    statuses: Mapping[str, str] = {}
    other_status: str | None = None
    skip_bad: bool = False
    fields: Mapping[str, str] = {}
    cohort: str = ""
    specialist: str = ""
    branch: str | None = None


class PlannedRow(msgspec.Struct, kw_only=True, gc=False):
    """
    A trial to be.

    Args:
        line: where it stands.
        name: what the file calls it; empty where it only has a commit.
        commit: the commit that has its code, as a hash; empty where none is named.
        base: the commit that it was tried on, where its own is gone.
        said: the cell that names its commit, as it stands.
        status: its class.
        score: what it is ranked by.
        cells: the trial's cells, without its exp id.
        parents: names of what it was derived from, and their roles.
        files: its code.
        cohort: its batch.
    """

    line: int
    name: str
    commit: str
    base: str
    said: str
    status: str
    score: float | None
    cells: dict[str, str]
    parents: tuple[tuple[str, str], ...] = ()
    files: Mapping[str, bytes] | None = None
    cohort: str = ""


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """The best trial of a plan, or of one scale of it: its name, score and line."""

    id: str
    value: float
    line: int | None
    scale: str = ""


class Plan(msgspec.Struct, kw_only=True):
    """
    What will be imported.

    Args:
        source: the file.
        kind: what it was taken for.
        rows: the trials in file order.
        metric: the column that ranks; ``None`` where nothing does.
        named: what the metric is called, where its column does not say it.
        metric_why: why that column.
        direction: in which direction it improves, and from where that is known.
        roles: which column is what.
        statuses: how many trials of each class.
        words: what each word for a status was read as, where that is not plain.
        best: the best trial; ``None`` where there is none, or none of all.
        bests: the best of each scale, where there are several.
        not_rows: line numbers of what is no row, by kind.
        told: what the user should know, a sentence each.
        earlier: metrics that the file ranked by before.
    """

    source: str
    kind: str
    rows: list[PlannedRow] = []
    metric: str | None = None
    named: str = ""
    metric_why: str = ""
    direction: Direction = Direction()
    roles: dict[str, str] = {}
    statuses: dict[str, int] = {}
    words: dict[str, str] = {}
    best: Best | None = None
    bests: tuple[Best, ...] = ()
    not_rows: dict[str, list[int]] = {}
    told: list[str] = []
    earlier: tuple[str, ...] = ()


def plan(table: Found, options: Options, task: Task | None = None, beside: Path | None = None) -> Plan:
    """
    Judge what was found.

    Args:
        found: what a reader found.
        options: what the user says; it rules.
        task: what the store ranks by already.
        beside: the folder whose texts may say the metric's direction.

    Raises:
        NotTrials: it holds no trials.
        Unclear: something has to be said first; each problem has the words that say it.
        Invalid: an option names a column that is not there.
    """
    return _Planner(table, options, task, beside).plan()


class _Planner:
    def __init__(self, table: Found, options: Options, task: Task | None, beside: Path | None) -> None:
        self._table = table
        self._options = options
        self._task = task
        self._beside = beside
        self._told: list[str] = []
        self._problems: list[Problem] = []
        self._words: dict[str, str] = {}
        self._unknown: Counter[str] = Counter()
        self._first_line: dict[str, int] = {}
        self._contradicted: list[int] = []

    def plan(self) -> Plan:
        table = self._table
        made = Plan(source=table.source, kind=table.kind, not_rows=table.skipped, earlier=table.earlier)
        lost = {kind: lines for kind in LOST if (lines := table.skipped.get(kind))}
        if not table.rows:
            none = "and no rows yet" if not lost else f"and no row that can be read: {', '.join(lost)}"
            raise NotTrials(table.source, f"{table.kind}, {none}")
        if not self._options.skip_bad:
            self._problems += [
                Problem(
                    kind=kind,
                    count=len(lines),
                    line=lines[0],
                    text=f"{listed(lines)}; the first: {table.shown.get(kind, '')}",
                    options=(("--skip-bad",),),
                )
                for kind, lines in lost.items()
            ]
        if table.unread:
            self._part_with(table.unread)
        roles = judged_columns.judge(table, self._options)
        statuses = self._statuses(roles)
        if reason := judged_columns.not_trials(table, roles, self._options):
            raise NotTrials(table.source, reason)
        scaled = self._scales(roles, statuses)
        metric, values, texts = self._metric(made, roles, statuses, scaled)
        rows = self._rows(roles, statuses, metric, values, texts, scaled)
        if metric is not None:
            judged = self._direction(metric, statuses, scaled, rows)
            if judged is None:
                metric, made.metric_why, made.named = None, "", ""
            else:
                made.direction = judged
                self._check_unknown(rows, made.direction)
        elif self._unknown:
            self._ask_words(list(self._unknown))
        if self._problems:
            raise Unclear(table.source, table.kind, self._problems, [*table.told, *self._told])
        made.metric = metric
        made.rows = rows
        made.roles = roles.told()
        made.statuses = dict(Counter(row.status for row in rows))
        made.words = self._words
        self._bests(made, rows, scaled)
        self._tell(made, roles, rows, statuses)
        made.told = [*filter(None, [*table.told, *self._told])]
        return made

    def _part_with(self, unread: Sequence[str]) -> None:
        """Say which parts cannot be read; nothing is imported unless the user lets them go."""
        more = f" and {len(unread) - _SHOWN} more" if len(unread) > _SHOWN else ""
        text = f"{', '.join(unread[:_SHOWN])}{more}"
        if self._options.skip_bad:
            self._told.append(f"{counted(len(unread), 'part')} that cannot be read passed over: {text}")
            return
        problem = Problem(
            kind="parts that cannot be read", count=len(unread), line=0, text=text, options=(("--skip-bad",),)
        )
        self._problems.append(problem)

    # -- statuses --------------------------------------------------------------------------------------------------

    def _statuses(self, roles: Roles) -> list[str]:
        """Return the class of each row; unknown words are collected and stand as undecided until they are told."""
        rows = self._table.rows
        held = (row.cells.get(roles.status, "") for row in rows)
        self._is_flag = bool(roles.status) and words.is_flag(roles.status, held)
        given = [self._class_of(row, roles) for row in rows]
        present = {each for each in given if each}
        if words.RAN in present and "discard" in present and not present & {"keep"}:
            given = ["keep" if each == words.RAN and not rows[at].status else each for at, each in enumerate(given)]
            self._words = {word: "keep" if name == words.RAN else name for word, name in self._words.items()}
        return given

    def _class_of(self, row: FoundRow, roles: Roles) -> str:
        if row.odd:
            return words.UNDECIDED
        word = row.cells.get(roles.status, "").strip() if roles.status else ""
        chosen = self._options.statuses.get(word.casefold()) or self._options.statuses.get(words.normal(word))
        if chosen:
            self._words[word] = chosen
            return chosen
        if row.status:
            return row.status
        flagged = self._flagged(row, roles)
        if not word or (numbers.is_placeholder(word) and words.status_of(word) is None):
            return flagged or (words.RAN if not roles.status else "")
        meant = words.status_of(word)
        if self._is_flag:
            meant = words.flag_of(roles.status, word)
        if flagged and meant == words.RAN:
            return flagged
        if flagged == "crash" and meant == "discard":
            return flagged
        if flagged and meant in ("keep", "baseline"):
            self._contradicted.append(row.line)
        if meant is None:
            if self._options.other_status:
                self._words[word] = self._options.other_status
                return self._options.other_status
            self._unknown[word] += 1
            self._first_line.setdefault(word, row.line)
            self._words[word] = words.UNDECIDED
            return words.UNDECIDED
        crashed = [
            row.cells[name].strip() for name in roles.other_statuses if name in words.STATUS and name in row.cells
        ]
        crashed = [cell for cell in crashed if words.status_of(cell) == "crash"] if meant == "discard" else []
        if crashed:  # not kept because it crashed, as another column says
            self._words[crashed[0]] = "crash"
            return "crash"
        is_plain_yes = word.casefold() in ("1", "true", "yes", "y")
        if is_plain_yes and roles.id and words.normal(row.cells.get(roles.id, "")) in ("baseline", "base"):
            return "baseline"
        if word != meant:
            self._words[word if words.status_of(word) == meant else f"{roles.status} {word}"] = meant
        return meant

    def _flagged(self, row: FoundRow, roles: Roles) -> str:
        """Return what a further yes-or-no column says went wrong with a row; empty where none does."""
        for name in roles.flags:
            cell = row.cells.get(name, "")
            if (meant := words.flag_of(name, cell)) is not None and meant not in ("keep", words.RAN):
                self._words[f"{name} {cell.strip()}"] = meant
                return meant
        return ""

    def _check_unknown(self, rows: Sequence[PlannedRow], direction: Direction) -> None:
        """Ask what words mean that nobody knows, where that could change which trial is the best."""
        if not self._unknown or not self._table.rows:
            return
        word_of = self._word_cells
        best = _best(rows, direction.lower)
        matters = []
        for row, word in zip(rows, word_of, strict=True):
            if word not in self._unknown or row.score is None:
                continue
            if best is None or ((row.score < best.value) == direction.lower and row.score != best.value):
                matters.append(word)
        judged = sum(row.status in words.JUDGED for row in rows)
        unknown = sum(self._unknown.values())
        if matters or unknown > judged:
            self._ask_words(list(self._unknown))
            return
        for word, count in self._unknown.items():
            first, otherwise = self._first_line[word], to_type("--status", f"{word}=STATUS")
            rows_of = f"{counted(count, 'row')}, first line {first}"
            self._told.append(
                f'"{word}" is no word for a status that is known ({rows_of}): neither kept nor discarded; '
                f"`{otherwise}` says otherwise"
            )

    def _ask_words(self, unknown: Sequence[str]) -> None:
        if self._options.skip_bad:
            self._told.append(f"words that nobody knows were read as undecided: {', '.join(unknown[:20])}")
            return
        spelt = ",".join(f"{word}=discard" for word in unknown)
        told = "; ".join(
            f'"{word}": {counted(self._unknown[word], "row")}, first line {self._first_line[word]}' for word in unknown
        )
        self._problems.append(
            Problem(
                kind="words for statuses that are not known",
                count=sum(self._unknown.values()),
                line=min(self._first_line.values()),
                text=told,
                options=(("--status", spelt), ("--other-status", "discard")),
            )
        )

    # -- scales ----------------------------------------------------------------------------------------------------

    def _scales(self, roles: Roles, statuses: Sequence[str]) -> list[str]:
        """Return what each row's score is comparable within; empty where all are."""
        rows = self._table.rows
        given = [row.scale for row in rows]
        if any(given):
            return given
        baselines: dict[str, set[str]] = {}
        if roles.scale and self._options.metric is None:
            values = [row.cells.get(roles.scale, "").strip() for row in rows]
            for value, status in zip(values, statuses, strict=True):
                if status == "baseline":
                    baselines.setdefault(roles.scale, set()).add(value)
            if len(set(values)) > 1 and baselines.get(roles.scale, set()) >= set(values):
                return values
        sections = [row.section for row in rows]
        if len(set(sections)) > 1 and self._options.metric is None:
            with_baseline = {
                section for section, status in zip(sections, statuses, strict=True) if status == "baseline"
            }
            if len(with_baseline) > 1:
                self._told.append(
                    f"{len(with_baseline)} sections have a baseline of their own ({', '.join(sorted(with_baseline))}):"
                    " they may be different scales, and are ranked together"
                )
        return [""] * len(rows)

    # -- what ranks ------------------------------------------------------------------------------------------------

    def _metric(
        self, made: Plan, roles: Roles, statuses: Sequence[str], scaled: Sequence[str]
    ) -> tuple[str | None, list[float | None], list[str]]:
        """Choose the column that ranks, and read it as numbers."""
        nothing: tuple[str | None, list[float | None], list[str]] = (None, [None] * len(statuses), [""] * len(statuses))
        table, options = self._table, self._options
        known = self._task.score_field if self._task is not None else None
        name: str | None
        why = ""
        if options.metric is not None:
            name, why = judged_columns.named(table, options.metric), "you named it"
        elif roles.metric:
            name, why = roles.metric, "you mapped it"
        elif table.metric is not None:
            name, why = table.metric, table.why
        elif table.undecided:
            if all(status in words.JUDGED or status in _STORED or status in words.UNSCORED for status in statuses):
                name = None
            else:
                self._ask_metric(table.others)
                return nothing
        elif known is not None and known in table.columns:
            name, why = known, "this store ranks by it"
        else:
            chosen = judged_columns.metric(table, roles, statuses, scaled)
            after = judged_direction.objective(self._beside, chosen.among) if chosen.problem and self._beside else None
            if after is not None:
                chosen = judged_columns.Chosen(name=after[0], why=after[1])
            if chosen.problem is not None:
                self._problems.append(chosen.problem)
                return nothing
            name, why, made.named = chosen.name, chosen.why, chosen.named
            self._told += chosen.told
        if name is None:
            return nothing
        made.named = made.named or table.named
        made.metric_why = why
        cells = [
            "" if row.odd or status in words.UNSCORED else row.cells.get(name, "")
            for row, status in zip(table.rows, statuses, strict=True)
        ]
        unfinished = [
            row.line for row, status in zip(table.rows, statuses, strict=True)
            if status == words.PENDING and numbers.read(row.cells.get(name, "")) is not None
        ]  # fmt: skip
        if unfinished:
            many = "a row that is" if len(unfinished) == 1 else f"{len(unfinished)} rows that are"
            self._told.append(
                f"{many} not over ({listed(unfinished)}): what {name} says so far is kept in {name}_text, and ranks "
                "once the row says how it ended"
            )
        read = numbers.scores(cells)
        self._told += [f"{name}: {sentence}" for sentence in read.told]
        if (
            options.metric is None
            and table.metric is None
            and not roles.metric
            and not any(value is not None for value in read.values)
        ):
            self._told.append(f"no cell of {name} is a number: nothing is ranked")
            made.named = made.metric_why = ""
            return nothing
        odd = [
            row.line for row, cell, value in zip(table.rows, cells, read.values, strict=True)
            if value is None and not numbers.is_placeholder(cell)
        ]  # fmt: skip
        plain = [
            row.line for row, cell, value in zip(table.rows, cells, read.values, strict=True)
            if value is None and cell.strip() and numbers.is_placeholder(cell)
        ]  # fmt: skip
        if odd or plain:
            lines = sorted([*odd, *plain])
            many = "1 cell" if len(lines) == 1 else f"{len(lines)} cells"
            self._told.append(
                f"{many} of {name} {'is' if len(lines) == 1 else 'are'} no number ({listed(lines)}): unscored"
            )
        return name, read.values, read.texts

    def _ask_metric(self, others: Mapping[str, bool | None]) -> None:
        told = ", ".join(
            f"{name} ({'lower' if lower else 'higher'} is better)" if lower is not None else name
            for name, lower in list(others.items())[:20]
        )
        settle = tuple(
            ("--metric", name, *(() if lower is None else (judged_direction.flag(lower),)))
            for name, lower in list(others.items())[:4]
        )
        text = f"{counted(len(others), 'metric')}: {told}; none is said to be the one"
        self._problems.append(Problem(kind="several metrics", count=len(others), line=0, text=text, options=settle))

    def _direction(
        self, metric: str, statuses: Sequence[str], scaled: Sequence[str], rows: Sequence[PlannedRow]
    ) -> Direction | None:
        """Judge in which direction the metric improves, or ask; ``None`` where no two scores have to be compared."""
        recorded = self._task if self._task is not None and self._task.score_field == metric else None
        table = self._table
        if self._options.lower is not None:
            return Direction(lower=self._options.lower, why="you said so")
        if recorded is not None and not recorded.assumed:
            return Direction(lower=recorded.lower_is_better, why="the store's task")
        if table.lower is not None and metric in (table.metric, None):
            return Direction(lower=table.lower, why=table.why)
        if metric in table.others and table.others[metric] is not None:
            return Direction(lower=bool(table.others[metric]), why="the file says it of that metric")
        evidence = judged_direction.evidence_of(table, metric, statuses, scaled)
        names = [metric, *filter(None, [table.named])]
        judged = judged_direction.judge(table, metric, evidence, self._beside, names)
        if not isinstance(judged, Problem):
            return judged
        if len({row.score for row in rows if row.score is not None}) < 2 and not self._unknown:
            flags = " or ".join(judged_direction.flag(side) for side in (True, False))
            self._told.append(
                f"nothing is ranked by {metric} yet: {judged.text}; a later row that shows it, or {flags}, settles it"
            )
            return None
        self._problems.append(judged)
        return Direction()

    # -- rows ------------------------------------------------------------------------------------------------------

    def _rows(
        self,
        roles: Roles,
        statuses: Sequence[str],
        metric: str | None,
        values: Sequence[float | None],
        texts: Sequence[str],
        scaled: Sequence[str],
    ) -> list[PlannedRow]:
        table = self._table
        kept: set[str] = set()
        rows: list[PlannedRow] = []
        self._word_cells: list[str] = []
        self._spelled: dict[str, list[str]] = {}
        self._placeholders: Counter[str] = Counter()
        self._tried_on: list[int] = []
        aliases: dict[str, str] = {}
        wants_parents = bool(roles.parent)
        for at, row in enumerate(table.rows):
            cells = row.cells
            self._word_cells.append(cells.get(roles.status, "").strip() if roles.status else "")
            said = cells.get(roles.commit, "").strip() if roles.commit else ""
            commit = self._hash(said)
            if roles.commit_in_id and roles.id:
                commit = self._hash(cells.get(roles.id, "").rsplit("-", 1)[-1])
            base = self._hash(cells.get(roles.base, "").strip()) if roles.base else ""
            status = statuses[at] or (words.PENDING if values[at] is None else words.RAN)
            not_kept = status not in ("keep", "baseline", words.RAN, words.PENDING, "")
            if commit and ((not_kept and commit in kept) or (table.tried_on and not_kept)):
                commit, base = "", commit
                self._tried_on.append(row.line)
            elif commit and not not_kept:
                kept.add(commit)
            name = cells.get(roles.id, "").strip() if roles.id else ""
            parents = row.parents
            if wants_parents and not parents:
                told = cells.get(roles.parent, "").strip()
                parents = tuple((aliases.get(part, part), "") for part in _names(told))
            planned = PlannedRow(
                line=row.line,
                name=name,
                commit=commit,
                base=base,
                said=said,
                status=status,
                score=values[at],
                cells=self._cells(row, roles, status, metric, values[at], texts[at], scaled[at]),
                parents=parents,
                files=row.files,
                cohort=row.cohort
                or (cells.get(roles.cohort, "").strip() if roles.cohort else "")
                or self._options.cohort,
            )
            if scaled[at] and table.metric is None:
                planned.score = values[at]
            if wants_parents and name:
                for column in roles.aliases:
                    if alias := cells.get(column, "").strip():
                        aliases.setdefault(alias, name)
            rows.append(planned)
        if not roles.id and not roles.commit:
            self._told.append(f"no column names the rows: they are called row, row.2 to row.{len(rows)}")
        return rows

    def _hash(self, cell: str) -> str:
        """Return the hash that a cell holds, whatever is around it; empty where it names no commit."""
        if not cell:
            return ""
        if match := _DECORATED.fullmatch(cell):
            text = match[1].lower()
            if text != cell.lower():
                self._spelled.setdefault(text, []).append(cell)
            return text
        if _HASH.fullmatch(cell) and len(cell) >= 7:
            return cell.lower()
        self._placeholders[cell] += 1
        return ""

    def _cells(
        self, row: FoundRow, roles: Roles, status: str, metric: str | None, value: float | None, text: str, scale: str
    ) -> dict[str, str]:
        """Return the cells of a trial: the file's, with those that a store knows under the names it knows them by."""
        cells: dict[str, str] = dict(row.cells)
        word = cells.get(roles.status, "") if roles.status else ""
        stored = status if status in _LABELS else _STORED.get(status, "")
        if roles.status == "status":
            cells.pop("status", None)
        if word.strip() and word.strip() != stored:
            if roles.status == "status":
                cells["status_word"] = word.strip()
        elif roles.status and word.strip() == stored:
            cells.pop(roles.status, None)
        cells["status"] = stored
        if (
            stored != status
            and "status_word" not in cells
            and not word.strip()
            and status not in (words.RAN, words.PENDING, "")
        ):
            cells["status_word"] = status
        if metric is not None:
            given = cells.get(metric, "")
            spelled = text if value is not None else ""
            if given.strip() and given.strip() != spelled:
                cells[f"{metric}_text"] = given
            cells[metric] = spelled
        if scale and metric is not None and self._table.metric is None:
            cells[f"{metric}@{scale}"] = cells[metric]
        if row.surplus:
            cells["surplus"] = row.surplus
        for column in judged_columns.NUMBERS:
            cell = cells.get(column, "")
            if column != metric and cell and parse_number(cell) is None:
                cells[f"{column}_text"], cells[column] = cell, ""
        if roles.text and roles.text in cells:
            cells["hypothesis"] = cells.pop(roles.text)
        if roles.time and (moment := judged_columns.moment(cells.get(roles.time, ""))):
            if roles.time == "timestamp" and cells["timestamp"] != moment:
                cells["timestamp_text"] = cells["timestamp"]
            cells["timestamp"] = moment
        for column, target in roles.further.items():
            if column in cells:
                cells[target] = cells.pop(column)
        if roles.id == "exp_id":
            cells.pop("exp_id", None)
        elif "exp_id" in cells:
            cells["file_exp_id"] = cells.pop("exp_id")
        if roles.parent and roles.parent != "parent_exp" and "parent_exp" not in cells:
            cells["parent_exp"] = cells.get(roles.parent, "")
        if self._options.specialist and not cells.get("specialist"):
            cells["specialist"] = self._options.specialist
        return cells

    # -- what is told ----------------------------------------------------------------------------------------------

    def _bests(self, made: Plan, rows: Sequence[PlannedRow], scaled: Sequence[str]) -> None:
        """Say which trial is the best, of each scale where there are several."""
        if made.metric is None:
            return
        lower = made.direction.lower
        scales = list(dict.fromkeys(scale for scale in scaled if scale))
        if len(scales) > 1 and self._table.metric is None:
            bests = [
                _best([row for row, own in zip(rows, scaled, strict=True) if own == scale], lower, scale)
                for scale in scales
            ]
            made.bests = tuple(best for best in bests if best is not None)
            told = ", ".join(f"{best.scale}: {best.value:g} ({best.id})" for best in made.bests)
            one = f"{made.metric}@{scales[0]}"
            command = to_type("gitlineage", "best", "--metric", one, judged_direction.flag(lower))
            self._told.append(
                f"{', '.join(scales)} are scored apart, and nothing ranks over all of them; the best of each: {told}; "
                f"`{command}`"
            )
            for row, own in zip(rows, scaled, strict=True):
                if not own:
                    row.score = None
            made.metric = None
            return
        made.best = _best(rows, lower)

    def _tell(self, made: Plan, roles: Roles, rows: Sequence[PlannedRow], statuses: Sequence[str]) -> None:
        tell = self._told.append
        if not roles.status and not any(row.status for row in self._table.rows):
            tell("no column says what was kept: every row counts")
        elif words.RAN in made.statuses and any(name == words.RAN for name in self._words.values()):
            said = ", ".join(word for word, name in self._words.items() if name == words.RAN)
            tell(f"rows say {said}, which is neither kept nor discarded: they are judged by their scores")
        unsaid = [word for word in self._options.statuses if word not in {words.normal(each) for each in self._words}]
        unsaid = [word for word in unsaid if word not in {each.casefold() for each in self._words}]
        if unsaid:
            tell(f"no row says {', '.join(unsaid[:_SHOWN])}, whose meaning was given")
        own = list(dict.fromkeys(row.cohort for row in rows if row.cohort != self._options.cohort))
        if self._options.cohort and own:
            named = ", ".join(filter(None, own[:_SHOWN]))
            tell(f"batches of the file's own stay ({named}): --cohort is for all other trials")
        if self._options.label and made.metric is None:
            tell("nothing ranks, so that there is nothing for --label to name")
        if self._contradicted:
            verb = "says" if len(self._contradicted) == 1 else "say"
            tell(f"{listed(self._contradicted)} {verb} kept, though {' or '.join(roles.flags)} says no: taken for kept")
        if roles.base and not roles.commit:
            tell(f"{roles.base} names where a trial started, not its own code")
        if self._tried_on:
            one = len(self._tried_on) == 1
            named = "names the commit it was tried on: its" if one else "name the commit they were tried on: their"
            tell(f"{counted(len(self._tried_on), 'row')} not kept {named} own code is gone")
        if self._spelled:
            told = "; ".join(
                f"{hash} from {', '.join(dict.fromkeys(cells))}" for hash, cells in list(self._spelled.items())[:_SHOWN]
            )
            tell(f"hashes were read out of what is around them: {told}")
        blank = sum(not row.said for row in rows) if roles.commit else 0
        if roles.commit and any(row.commit or row.base for row in rows) and (self._placeholders or blank):
            cells = [repr(cell) if " " in cell else cell for cell in self._placeholders]
            if blank:
                cells.append("blank cells")
            count = sum(self._placeholders.values()) + blank
            many = f"{counted(count, 'row')} name{'s' if count == 1 else ''}"
            tell(f"{many} no commit: {', '.join(cells[:_SHOWN])}{' …' if len(cells) > _SHOWN else ''}")
        names = Counter(row.name for row in rows if row.name)
        if twice := [name for name, count in names.items() if count > 1]:
            tell(f"ids that come more than once: {', '.join(twice[:_SHOWN])}; the later ones are numbered")
        skipped = {kind: lines for kind, lines in made.not_rows.items() if kind != "blank"}
        for kind, lines in skipped.items():
            if self._options.skip_bad and len(lines) > _SHOWN:
                tell(f"{counted(len(lines), 'line')} passed over: {kind}, first line {lines[0]}")
            elif kind == "continued text":
                before = lines[0] - 1
                tell(f"{listed(lines)} belong{'s' if len(lines) == 1 else ''} to the text of line {before}")
            elif kind == INCOMPLETE:
                shown = self._table.shown.get(kind, "")
                tell(f"line {lines[0]} is incomplete, as nothing ends it ({shown}): it is left for the next import")
            elif kind not in ("config line",):
                tell(f"{listed(lines)} {'is no row' if len(lines) == 1 else 'are no rows'}: {kind}")


def best_row(rows: Sequence[PlannedRow], lower: bool) -> PlannedRow | None:
    """Return the best row: kept, a baseline or judged by nobody, strictly better, the earliest of a tie."""
    best: PlannedRow | None = None
    for row in rows:
        if row.status not in words.ELIGIBLE or row.score is None:
            continue
        if best is None or best.score is None or (row.score < best.score if lower else row.score > best.score):
            best = row
    return best


def _best(rows: Sequence[PlannedRow], lower: bool, scale: str = "") -> Best | None:
    """Return the best row's name, score and line."""
    best = best_row(rows, lower)
    if best is None or best.score is None:
        return None
    said = "" if names_nothing(best.said) else best.said
    name = best.name or said or best.commit or f"(line {best.line})"
    return Best(id=name, value=best.score, line=best.line or None, scale=scale)


def names_nothing(cell: str) -> bool:
    """Whether a cell in the place of a commit or id is no name: a placeholder, or a word that git has a meaning for."""
    return numbers.is_placeholder(cell) or cell.strip(" `*()[]<>").casefold() in _NO_NAMES


def _names(cell: str) -> list[str]:
    """Return the names in a parent cell."""
    if numbers.is_placeholder(cell) or cell.casefold() in (
        "root",
        "no_git_ref",
        "none",
        "null",
        "start",
        "initial",
        "head",
    ):
        return []
    return [part.strip() for part in re.split(r"[,;\s]\s*", cell.strip("[]")) if part.strip().strip("'\"")]
