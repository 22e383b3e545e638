"""
Which column of a table is what: the id, the commit, the status, the text, the score. By name first, then by content.

`judge` gives all but the score; `metric` chooses that, and says why; `not_trials` says what is no table of trials.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gitlineage.asking import Problem
from gitlineage.bridge import direction
from gitlineage.bridge.formats import numbers, words
from gitlineage.bridge.formats.found import Found
from gitlineage.errors import Invalid
from gitlineage.model.trial import COLUMNS, NUMERIC
from gitlineage.text import to_type
from gitlineage.times import parse_time, stamp

NUMBERS = NUMERIC
"""Columns that a trial keeps as numbers."""

FIELDS = (
    "id",
    "commit",
    "base",
    "parent",
    "status",
    "metric",
    "text",
    "time",
    "cohort",
    "specialist",
    "notes",
    "domain",
)
"""What a column can be mapped to, beside the names of a trial's own columns."""

_VALUES = ("metric_value", "primary_metric_value", "value", "metric_after", "result", "score")
"""Names of the column of values, where another one says which metric each row has."""

_CALLED = ("metric_name", "metric", "primary_metric_name", "primary_metric")
"""Names of the column that says which metric each row has."""

_OTHERS = {"status", "guard", "verify", "gate", "solve", "valid", "physics", "ok", "stage1", "stage2"}
"""Words in names of columns that say how a check ended, not the trial."""

_NUMBERED = re.compile(
    r"(exp|experiment|run|trial|iter|iteration|attempt|candidate)[-_ ]?\d.*", re.IGNORECASE
).fullmatch
_OF_LOOPS = re.compile(r"experiment|autoresearch", re.IGNORECASE)
"""What files are called that loops write."""

_DECIDING = words.split_words(
    """
    keep kept accept accepted adopt adopted merge merged improved better best selected
    """
)
"""Words in names of columns of yes and no that say what became of a trial."""

_HASH = re.compile(r"[0-9a-f]{7,40}", re.IGNORECASE)
_LOOSE = re.compile(r"[`\[(#*]*[0-9a-f]{7,40}\b.*", re.IGNORECASE)
_ID_HASH = re.compile(r".+-[0-9a-f]{7,12}", re.IGNORECASE)
_DECISIVE, _LOOSELY = 0.8, 0.5
"""Share of kept rows that improve a column which decides what is kept, and of those that improve one that does not."""

_FEW = 2
"""Rows that agree by chance."""

_SURELY = 5.0
"""What `words.metric_tier` gives a name that says outright that it ranks."""

_MOST = 2_000
"""Rows that are looked at to judge a column."""


class Roles(msgspec.Struct, kw_only=True):
    """
    Which column is what; empty where none is.

    Args:
        id: names the row.
        commit: the commit with its code.
        base: the commit that it started from.
        parent: the rows that it was derived from.
        status: how it ended.
        other_statuses: further columns that say something of that kind.
        flags: further columns that say by yes or no whether it worked.
        metric: what the user mapped as the score.
        text: what was tried.
        time: when.
        cohort: its batch.
        scale: what its score is comparable within.
        aliases: columns by which other rows may name this one.
        commit_in_id: whether the id ends in the commit's hash.
        further: columns that the user mapped to a trial's own.
    """

    id: str = ""
    commit: str = ""
    base: str = ""
    parent: str = ""
    status: str = ""
    other_statuses: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    metric: str = ""
    text: str = ""
    time: str = ""
    cohort: str = ""
    scale: str = ""
    aliases: tuple[str, ...] = ()
    commit_in_id: bool = False
    further: dict[str, str] = {}

    def told(self) -> dict[str, str]:
        """Return the columns that have a role, by role."""
        named = ("id", "commit", "base", "parent", "status", "text", "time", "cohort", "scale")
        return {role: column for role in named if (column := getattr(self, role))} | {
            target: column for column, target in self.further.items()
        }

    def taken(self) -> set[str]:
        """Return the columns that cannot rank."""
        own = {self.id, self.commit, self.base, self.parent, self.status, self.text, self.time, self.cohort, self.scale}
        return (own | set(self.other_statuses) | set(self.flags) | set(self.aliases)) - {""}


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The column that ranks, what it is called, and why; or what has to be said first, of which columns."""

    name: str | None = None
    named: str = ""
    why: str = ""
    told: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    problem: Problem | None = None


def named(table: Found, column: str) -> str:
    """
    Return a column that the user named, in whatever case.

    Raises:
        Invalid: there is none.
    """
    if column in table.columns:
        return column
    alike = [name for name in table.columns if name.casefold().strip() == column.casefold().strip()]
    if len(alike) == 1:
        return alike[0]
    raise Invalid(f"there is no column {column!r} in {table.source}; the columns are {', '.join(table.columns)}")


def judge(table: Found, options: "Mapping[str, str] | object") -> Roles:
    """Return which column is what; what the user or the format says rules."""
    fields: Mapping[str, str] = getattr(options, "fields", {})
    roles = Roles()
    for role, column in table.roles.items():
        setattr(roles, role, column)
    _map(table, fields, roles)
    cells = _Cells(table)
    taken = set(roles.told().values()) | set(fields)
    if not roles.status and "status" not in table.roles:
        roles.status = cells.status(taken)
    taken.add(roles.status)
    if "status" not in table.roles:
        roles.flags = tuple(name for name in cells.by_name(words.FLAGS) if name not in taken and cells.is_flag(name))
    taken |= set(roles.flags)
    if not table.roles:
        roles.other_statuses = tuple(
            name
            for name in cells.columns
            if name not in taken
            and cells.share(name, _is_plain_word) > 0.8
            and words.metric_tier(name, cells.columns) < _SURELY
        )
    if "commit" not in table.roles and not table.roles.get("id"):
        _commits(cells, roles, taken)
    taken |= {roles.commit, roles.base, *roles.other_statuses}
    if not roles.parent:
        parents = [n for n in cells.columns if n not in taken and words.PARENT.search(_plain(n))]
        roles.parent = parents[0] if parents else ""
    taken.add(roles.parent)
    if not roles.id and "id" not in table.roles:
        roles.id = cells.id(taken, bool(roles.commit))
    taken.add(roles.id)
    if not roles.commit and not roles.base and roles.id and cells.share(roles.id, _ID_HASH.fullmatch) > 0.9:
        roles.commit_in_id = True
    if not roles.time:
        roles.time = next((n for n in cells.by_name(words.TIME) if n not in taken and cells.share(n, moment) > 0.5), "")
    taken.add(roles.time)
    if not roles.text:
        roles.text = cells.text(taken)
    taken.add(roles.text)
    if not roles.scale and not table.roles:
        roles.scale = next((n for n in cells.columns if n not in taken and n.casefold() in words.SCALE), "")
    if roles.parent:
        roles.aliases = tuple(
            name
            for name in cells.columns
            if name not in taken
            and {"ref", "candidate"} & set(words.parts_of(name))
            and cells.share(name, numbers.read) < 0.5
        )
    return roles


def not_trials(table: Found, roles: Roles, options: object) -> str:
    """Return why a table holds no trials; empty where it does, or where the user says which column ranks."""
    if getattr(options, "metric", None) or roles.metric or table.metric or table.roles:
        return ""
    names = [name.casefold() for name in table.columns]
    if names and names[0] in ("step", "_step") and any(" - " in name for name in names):
        return "a chart's export with a row a step, not the table of runs (export that one)"
    cells = _Cells(table)
    judged = roles.status and cells.decides(roles.status) and cells.share(roles.status, _is_status_word) >= 0.3
    if judged or roles.commit or roles.base:
        return ""
    if roles.status and roles.status.casefold() in ("status", "decision", "verdict"):
        return ""
    loops = any(name in words.OF_LOOPS or name == "hypothesis" for name in names)
    ranked = any(words.metric_tier(name, names) >= 4 for name in table.columns)
    if loops and (ranked or roles.text):
        return ""
    if ranked and (_OF_LOOPS.search(Path(table.source).name) or (roles.id and cells.share(roles.id, _NUMBERED) >= 0.5)):
        return ""
    return (
        f"this does not look like trials: no ids, statuses or commits of a loop; if it is, name what ranks, as with "
        f"`{_example(table)}`"
    )


def _example(table: Found) -> str:
    """Return the options that name the likeliest column to rank, and its direction; both where its name says none."""
    tiers = {name: words.metric_tier(name, table.columns) for name in table.columns}
    name = max(tiers, key=lambda each: tiers[each], default="COLUMN")
    lower = words.direction_of(name)
    ways = " or ".join(direction.flag(way) for way in ((True, False) if lower is None else (lower,)))
    return f"{to_type('--metric', name)} {ways}"


def metric(table: Found, roles: Roles, statuses: Sequence[str], scaled: Sequence[str]) -> Chosen:
    """
    Choose the column that ranks: the one whose name says so and whose cells are mostly numbers.

    Of several that may be meant, the first whose kept rows agree with its name.
    """
    cells = _Cells(table)
    called = next((name for name in table.columns if _plain(name) in _CALLED), None)
    if called is not None and cells.share(called, numbers.read) < 0.5:
        valued = next(
            (
                name
                for name in table.columns
                if _plain(name) in _VALUES and name != called and name not in roles.taken()
            ),
            None,
        )
        numbered = [row.cells for row in table.rows if valued and numbers.read(row.cells.get(valued, "")) is not None]
        kinds = list(dict.fromkeys(kind for cells_of in numbered if (kind := cells_of.get(called, "").strip())))
        if valued is not None and kinds:
            if len(kinds) == 1:
                return Chosen(
                    name=valued, named=kinds[0], why="the column of values", told=(f"the metric is called {kinds[0]}",)
                )
            shown = ", ".join(kinds[:6])
            return Chosen(told=(f"{len(kinds)} metrics in one column ({shown}): nothing is ranked",))
    said = table.settings.get("metric") or table.settings.get("primary_metric") or table.settings.get("metric_name")
    if said:
        match = [name for name in table.columns if _plain(name) == _plain(said)]
        if match:
            return Chosen(name=match[0], why="a comment says it")
    taken = roles.taken()
    scored = [status not in words.UNSCORED for status in statuses]
    candidates = []
    for at, name in enumerate(table.columns):
        tier = words.metric_tier(name, table.columns)
        if name in taken or not cells.is_numeric(name, scored, 0.0 if tier >= _SURELY else 0.5):
            continue
        if tier > 0 and table.header:
            candidates.append((tier, -at, name))
        elif not table.header:
            candidates.append((3.0, -at, name))
    surely = [name for name in table.columns if name not in taken and words.metric_tier(name, table.columns) >= _SURELY]
    if surely and table.header and all(tier < _SURELY for tier, _, _ in candidates):
        return Chosen(told=(f"no cell of {surely[0]} is a number: nothing is ranked",))
    if not candidates:
        return _none(table, roles, cells, statuses)
    candidates.sort(reverse=True)
    best = candidates[0][0]
    if not table.header and (by_changes := _by_changes(table, [name for _, _, name in candidates])):
        return Chosen(name=by_changes[0], why=f"column {by_changes[1]} holds how much it changed")
    if not table.header and len(candidates) > 1:
        names = [name for _, _, name in sorted(candidates, key=lambda each: -each[1])]
        return _asked(table, sorted(names, key=lambda name: not cells.differs(name)), True)
    near = [name for tier, _, name in candidates if tier >= min(best, 3.0)] or [candidates[0][2]]
    evidence = {name: direction.evidence_of(table, name, statuses, scaled) for name in near}
    verdicts = {name: direction.verdict(name, evidence[name]) for name in near}
    sound = [name for name in near if verdicts[name] is not None]
    judged = any(status in words.JUDGED for status in statuses)
    if best < 3 and words.is_duration(candidates[0][2]) and not (judged and sound):
        name = candidates[0][2]
        only = f"only {name} holds numbers, and how long a run took is rarely what ranks: nothing is ranked"
        return Chosen(told=(f"{only} (`--metric {name}` says otherwise)",))
    top = [name for tier, _, name in candidates if int(tier) == int(best)]
    if best < 4 and len(top) > 1 and not (judged and sound):
        return _asked(table, top, False)
    primary = [name for name in top if words.metric_tier(name, table.columns) >= 5]
    firsts = primary or [name for name in near if name in top] or near
    agreed = [name for name in firsts if name in sound and (judged or name == firsts[0])]
    if not primary and not agreed and judged:
        agreed = [
            name
            for name in sound
            if int(best) == int(words.metric_tier(name, table.columns))
            or (
                direction.decides(evidence[name], verdicts[name]) >= _DECISIVE
                and _shows(evidence[name], verdicts[name])
            )
        ]
    name = (agreed or firsts)[0]
    tiers = {each: tier for tier, _, each in candidates}
    earlier = table.columns[: table.columns.index(name)]
    before = [other for other in firsts if other in earlier and tiers[other] >= tiers[name]]
    equal = [other for other in sound if name in sound and other != name and tiers[other] == tiers[name]]
    if not primary and best < 4 and judged and not _shows(evidence[name], verdicts[name]) and (before or equal):
        return _asked(table, list(dict.fromkeys([*before, name, *equal])), False)
    if not primary and best < 4 and before and not _shows(evidence[name], verdicts[name]):
        return _asked(table, [*before, name], False)
    by_name = words.direction_of(name)
    by_rows, _ = direction.rows_say(name, evidence[name])
    if not primary and judged and by_name is not None and by_rows not in (None, by_name) and sound:
        return _asked(table, [*sound, name], False)
    if not primary and judged:
        decisive = [other for other in sound if direction.decides(evidence[other], verdicts[other]) >= _DECISIVE]
        if decisive and direction.decides(evidence[name], verdicts[name]) < _LOOSELY:
            name = min(decisive, key=table.columns.index)
    meant = [
        other for tier, _, other in candidates
        if other != name and tier >= 2 and tier >= best - 2 and words.metric_tier(name, table.columns) < 5
    ]  # fmt: skip
    told = []
    if meant:
        told.append(f"{', '.join(meant[:6])} could be meant, too: ranked by {name} (`--metric` names another one)")
    why = "its name says so" if words.metric_tier(name, table.columns) >= 4 else "the first column of numbers"
    if name not in top[:1] and name in sound and judged:
        why = "its kept rows agree"
    return Chosen(name=name, why=why, told=tuple(told))


def _by_changes(table: Found, names: Sequence[str]) -> tuple[str, str] | None:
    """
    Return the column whose changes another one holds, and that one; ``None`` unless there is one such pair.

    A change leads from a score to one that an earlier row has, which numbers do not do by chance again and again.
    """
    rows = [row.cells for row in table.rows if not row.odd]
    read = {name: numbers.scores([cells.get(name, "") for cells in rows]).values for name in names}
    pairs = [
        (name, other)
        for name in names
        for other in names
        if name != other and direction.follows(read[name], read[other]) >= _FEW
    ]
    return pairs[0] if len(pairs) == 1 else None


def moment(cell: str) -> str:
    """Return a cell that names a moment in ISO 8601: it is one, or seconds or milliseconds since 1970."""
    text = cell.strip()
    if not text:
        return ""
    if re.fullmatch(r"1\d{9}(\.\d+)?|1\d{12}", text):
        seconds = float(text) / (1000 if len(text) == 13 and "." not in text else 1)
        return stamp(datetime.fromtimestamp(seconds, UTC))
    if len(text) >= 10 and text[:4].isdigit() and parse_time(text) is not None:
        return text
    match = re.fullmatch(r"(\d\d)-(\d\d)-(\d{4}) (\d\d:\d\d(?::\d\d)?)", text)
    if match and parse_time(f"{match[3]}-{match[2]}-{match[1]}T{match[4]}"):
        return f"{match[3]}-{match[2]}-{match[1]}T{match[4]}"
    return ""


def _shows(evidence: Sequence[direction.Evidence], lower: bool | None) -> bool:
    """Whether more than a row or two bear a direction out."""
    votes = direction.votes("", evidence, bool(lower))
    return votes.kept_for + votes.others_for > _FEW


def _none(table: Found, roles: Roles, cells: "_Cells", statuses: Sequence[str]) -> Chosen:
    """Return what is to be said where no column holds numbers."""
    named = [
        name for name in table.columns if name not in roles.taken() and words.metric_tier(name, table.columns) >= 4
    ]
    if named or all(status in (*words.UNSCORED, "", words.PENDING) for status in statuses):
        return Chosen(
            name=named[0] if named else None,
            why="its name says so",
            told=() if named else ("no column holds numbers: nothing is ranked",),
        )
    if all(status in words.JUDGED or status in words.UNSCORED or status == words.UNDECIDED for status in statuses):
        return Chosen(told=("no column holds numbers: nothing is ranked",))
    return _asked(table, [name for name in table.columns if name not in roles.taken()], False)


def _asked(table: Found, names: Sequence[str], numbered: bool) -> Chosen:
    """Return that nobody knows which of some columns ranks."""
    return Chosen(among=tuple(names), problem=_ask(table, names, numbered))


def _ask(table: Found, names: Sequence[str], numbered: bool) -> Problem:
    shown = ", ".join(names[:12])
    text = f"{shown} could each be what ranks, and nothing says which"
    if numbered:
        text = (
            f"{table.unnamed or 'the first line is a row: there is no header'}; columns {shown} hold numbers, and "
            "nothing says which ranks"
        )
    settle: list[tuple[str, ...]] = []
    for name in names[:2]:
        known = words.direction_of(name)
        sides = (True, False) if known is None else (known,)
        settle += [("--metric", name, direction.flag(side)) for side in sides]
    return Problem(kind="no column is known to rank", count=len(names), line=1, text=text, options=tuple(settle))


def _map(table: Found, fields: Mapping[str, str], roles: Roles) -> None:
    """Take over what the user says of columns."""
    for given, field in fields.items():
        column = named(table, given)
        if field in ("id", "commit", "base", "parent", "status", "metric", "text", "time", "cohort"):
            setattr(roles, field, column)
        elif field in ("hypothesis",):
            roles.text = column
        elif field == "score":
            roles.metric = column
        elif field in COLUMNS or field in ("specialist", "notes", "domain"):
            roles.further[column] = field
        else:
            raise Invalid(f"a column can be {', '.join(FIELDS)} or a trial's column, not {field!r}")


def _commits(cells: "_Cells", roles: Roles, taken: set[str]) -> None:
    """Find the columns that hold hashes: the trial's own, and the one that it started from."""
    hashed = [name for name in cells.columns if name not in taken and cells.holds_hashes(name)]
    for name in cells.by_name(words.COMMIT):
        if name not in hashed and name not in taken and cells.share(name, numbers.read) < 0.9:
            hashed.append(name)
    named_parents = [name for name in cells.columns if words.STARTED.search(_plain(name)) and _is_hash_name(name)]
    hashed += [
        name
        for name in named_parents
        if name not in hashed and name not in taken and cells.share(name, _HASH.fullmatch) > 0
    ]
    started = [name for name in hashed if words.STARTED.search(_plain(name))]
    own = [name for name in hashed if name not in started]
    own.sort(key=lambda name: (_plain(name) not in words.COMMIT, cells.columns.index(name)))
    if not roles.commit and own:
        roles.commit = own[0]
    if not roles.base and started:
        roles.base = started[0]


def _is_hash_name(name: str) -> bool:
    return bool({"commit", "sha", "hash", "rev"} & set(words.parts_of(name)))


def _is_status_word(cell: str) -> bool:
    return words.status_of(cell) is not None


def _is_plain_word(cell: str) -> bool:
    """Whether a cell is a word for a status and no number: 0 and 1 say much else."""
    return _is_status_word(cell) and numbers.read(cell) is None


def _plain(name: str) -> str:
    return "_".join(words.parts_of(name)) or name.casefold().strip()


class _Cells:
    """The columns of what was found, looked at as columns."""

    def __init__(self, table: Found) -> None:
        self.columns = list(table.columns)
        self._rows = [row for row in table.rows if not row.odd][:_MOST]
        self._all = table.rows[:_MOST]
        self._held: dict[str, list[str]] = {}

    def of(self, name: str) -> list[str]:
        """Return the cells of a column that say something."""
        if name not in self._held:
            self._held[name] = [cell for row in self._rows if (cell := row.cells.get(name, "").strip())]
        return self._held[name]

    def share(self, name: str, test: object) -> float:
        """Return which share of a column's cells passes a test."""
        held = self.of(name)
        return sum(bool(test(cell)) for cell in held) / len(held) if held else 0.0  # type: ignore[operator]

    def by_name(self, names: Sequence[str]) -> list[str]:
        """Return the columns with one of some names, the likeliest name first."""
        lowered = {name.casefold().strip(): name for name in reversed(self.columns)}
        plain = {_plain(name): name for name in reversed(self.columns)}
        spelled = [lowered.get(name) or plain.get(name) for name in names]
        return list(dict.fromkeys(name for name in spelled if name))

    def differs(self, name: str) -> bool:
        """Whether a column's numbers are not all the same."""
        return len({found.value for cell in self.of(name) if (found := numbers.read(cell))}) > 1 or len(self._rows) < 2

    def is_numeric(self, name: str, scored: Sequence[bool], least: float = 0.5) -> bool:
        """Whether some cells, and a share of those that say something in rows that may have a score, are numbers."""
        held = [
            cell for row, may in zip(self._all, scored, strict=False)
            if may and not row.odd and (cell := row.cells.get(name, "").strip()) and not numbers.is_placeholder(cell)
        ]  # fmt: skip
        read = sum(numbers.read(cell) is not None for cell in held)
        return read > 0 and read >= len(held) * least

    def holds_hashes(self, name: str) -> bool:
        """Whether a column holds commit hashes: most of what is no placeholder, and at least one with a letter."""
        held = [cell for cell in self.of(name) if not numbers.is_placeholder(cell)]
        if all(len(cell) == 32 for cell in held) and _plain(name) not in words.COMMIT:
            return False  # ids of another kind
        hashes = [cell for cell in held if _LOOSE.fullmatch(cell) and (" " not in cell or "(" in cell)]
        return len(hashes) * 2 >= max(len(held), 1) and any(
            re.search("[a-f]", cell[:12]) and re.search(r"\d", cell[:12]) for cell in hashes
        )

    def is_flag(self, name: str) -> bool:
        """Whether a column says by yes or no how its rows ended."""
        return words.is_flag(name, self.of(name))

    def decides(self, name: str) -> bool:
        """Whether a column says what became of trials; ``correct`` and ``ok`` say that of answers and tests as well."""
        said = {words.flag_of(name, cell) for cell in self.of(name)}
        return not self.is_flag(name) or bool({"keep", "discard"} & said)

    def status(self, taken: set[str]) -> str:
        """Return the column that says how rows ended: the one of a likely name with most words of decisions."""
        likely = [name for name in self.by_name(words.STATUS) if name not in taken]
        scored = []
        for order, name in enumerate(likely):
            held = self.of(name)
            known = [words.status_of(cell) for cell in held]
            share = sum(each is not None for each in known) / len(held) if held else 0.0
            numeric = (
                held and all(numbers.read(cell) is not None for cell in held) and set(held) - {"0", "1", "1.0", "0.0"}
            )
            if numeric or (share < 0.5 and name.casefold() not in ("status", "decision", "verdict")):
                continue
            judged = sum(each in words.JUDGED for each in known)
            scored.append((judged * 2 > len(self._rows) * 0.3, judged, -order, name))
        if scored:
            exact = [each for each in scored if each[3].casefold() in ("status", "decision", "verdict", "outcome")]
            if exact and max(exact)[1] * 1.5 >= max(scored)[1]:
                return max(exact)[3]
            return max(scored)[3]
        for name in self.columns:
            held = self.of(name)
            if name in taken or not held or len({words.before_prose(cell).casefold() for cell in held}) > 14:
                continue
            if words.is_yes_or_no(held) and not _DECIDING & set(words.parts_of(name)):
                continue  # a switch of the recipe, for all we know
            known = [words.status_of(cell) for cell in held if not cell.isdigit()]
            is_known = sum(each is not None for each in known) * 5 >= len(held) * 4
            decides = any(each in ("keep", "discard") for each in known)
            if is_known and decides and not _OTHERS & set(words.parts_of(name)):
                return name
        flags = [name for name in self.by_name(words.FLAGS) if name not in taken and self.is_flag(name)]
        if flags:
            return flags[0]
        for name in self.columns:  # a check that some rows failed: those have no score
            held = [] if name in taken else self.of(name)
            kinds = {words.status_of(cell) for cell in held if numbers.read(cell) is None}
            if held and words.RAN in kinds and "crash" in kinds and kinds <= {words.RAN, "crash"}:
                return name
        return ""

    def id(self, taken: set[str], has_commit: bool) -> str:
        """Return the column that names rows: short, mostly different, never a score."""
        for name in self.by_name(words.ID):
            if name in taken:
                continue
            # what says that it is an id stays one as the file grows, or the next import would call every row anew
            is_id = _plain(name).split("_")[-1] == "id" and not has_commit
            if self._is_naming(name, 0.75 if has_commit else 0.0 if is_id else 0.5, 0.0 if is_id else 0.9):
                return name
        first = self.columns[0] if self.columns else ""
        if has_commit or first in taken or not first or not self._is_naming(first, 0.75, 0.9):
            return ""
        is_score = any("." in cell for cell in self.of(first)) and self.share(first, numbers.read) > 0
        return "" if is_score else first

    def _is_naming(self, name: str, different: float, filled: float) -> bool:
        """Whether a column may name rows: short texts, no times, in so many rows, so many of them different."""
        held = self.of(name)
        if not held or len(held) < len(self._rows) * filled:
            return False
        if sum(len(cell) > 60 or len(cell.split()) > 3 for cell in held) * 5 > len(held) or any(
            "\n" in c for c in held
        ):
            return False
        if moment(held[0]):
            return False
        return len(set(held)) >= len(held) * different

    def text(self, taken: set[str]) -> str:
        """Return the column that says what was tried."""
        for name in self.by_name(words.TEXT):
            if (
                name not in taken
                and self.share(name, numbers.read) < 0.5
                and (self.of(name) or name.casefold() in ("description", "hypothesis"))
            ):
                return name
        return ""
