"""
One row of a trial log: its ten statuses, its seventeen columns and the text it was given.

A trial keeps the text of every cell beside its typed value, so that a TSV goes in and comes out byte for byte.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, Self

import msgspec

from gitlineage import markup
from gitlineage.errors import InvalidTrial
from gitlineage.later import pattern
from gitlineage.times import stamp

AUTO_ID = "*"
"""The exp id of a trial that the store numbers when it records it."""

_NUMBER = pattern(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_PLAIN = pattern(r"-?\d{1,20}(\.\d{0,20})?", re.ASCII)
"""Most numbers; these are finite."""

_NON_FINITE = pattern(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_CONTROL = pattern(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAX_ID = 200
_SHORT = 60
"""Characters of a hypothesis that a trial shows of itself."""


class FailureLabel(StrEnum):
    """
    How a trial ended; the values are those of the auto-research harness's status column.

    ``keep`` improved on the best; ``discard`` ran to its end and did not; ``baseline`` is the seed of a run;
    the others say where a trial died. Only ``harness_abort`` says nothing about the recipe.
    """

    KEEP = "keep"
    DISCARD = "discard"
    CRASH = "crash"
    EVAL_BUDGET_OVERRUN = "eval_budget_overrun"
    TRAIN_BUDGET_OVERRUN = "train_budget_overrun"
    SIZE_BLOCKED = "size_blocked"
    PREFLIGHT_CRASH = "preflight_crash"
    HARNESS_ABORT = "harness_abort"
    DISQUALIFIED = "disqualified"
    BASELINE = "baseline"

    @property
    def is_informational(self) -> bool:
        """Whether the trial tells the next agent anything; false for ``harness_abort`` alone."""
        return self is not FailureLabel.HARNESS_ABORT


CRASHED = (FailureLabel.CRASH, FailureLabel.PREFLIGHT_CRASH, FailureLabel.HARNESS_ABORT)
"""Statuses that come without a score: what is in its cell measures something else, if anything."""


CHANGED = "changed"
"""The column in which a run names the files of its snapshot that were changed while its command ran."""

_OF_A_RUN = ("command", "exit_code")
"""Columns that a run fills in; without them, the one of that name may say anything."""


class Trial(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """
    One row of the log: the seventeen columns of fieldkit's trial log in their published order, then the rest.

    Arguments go by position or by keyword. The five numeric columns take a number or a cell's text and read as
    ``float | None``; the text stays available from `text`. Other columns read as text. Units are those of the
    task: seconds for ``train_s`` and ``total_s``, the task's own for the metrics.

    Args:
        exp_id: the trial's name; left out, the store gives it the next free number.
        status: a `FailureLabel` or its value; ``None`` while the trial has not been run.
        extra: cells of columns beyond the seventeen, by column name; numbers and dates are kept as their text.
        spelled: text of numeric cells that a float would spell differently; filled in by itself.
        score: what the task ranks by, for whoever need not know its column; recording puts it there. A row that a store
            hands out has it in the column alone: ``store.task.score(trial)``.

    Raises:
        InvalidTrial: unknown status, a number that is not finite, an empty exp id or one with control characters.
    """

    exp_id: str = AUTO_ID
    timestamp: str = ""
    specialist: str = ""
    parent_exp: str = ""
    baseline_exp: str = ""
    domain: str = ""
    hypothesis: str = ""
    expected_delta: str = ""
    status: FailureLabel | None = None
    core_metric: float | None = None
    val_bpb: float | None = None
    delta_vs_best: float | None = None
    train_s: float | None = None
    total_s: float | None = None
    job_name: str = ""
    snapshot_path: str = ""
    notes: str = ""
    extra: Mapping[str, str] = {}
    spelled: Mapping[str, str] = {}
    score: float | str | None = None

    def __post_init__(self) -> None:
        put = msgspec.structs.force_setattr
        if type(self.status) is not FailureLabel:
            put(self, "status", _status(self.status))
        spelled = {}
        for column in NUMERIC:
            given = getattr(self, column)
            if given is None and column not in self.spelled:
                continue
            value, text = _number(column, given, self.spelled.get(column))
            put(self, column, value)
            if text is not None:
                spelled[column] = text
        put(self, "spelled", spelled)
        for column in TEXT:
            value = getattr(self, column)
            if type(value) is not str or not value.isascii():
                put(self, column, _text(column, value))
        if self.score is not None:
            _number("score", self.score, None)
        put(self, "extra", {str(name): _cell(str(name), value) for name, value in self.extra.items()})
        check_exp_id(self.exp_id)

    def __hash__(self) -> int:
        return hash(tuple(self.to_row()))

    @property
    def oid(self) -> str:
        """The snapshot that a store handed this row out with; empty for one that was made or changed by hand."""
        oid: str = self.__dict__.get("oid", "")
        return oid

    def on(self, oid: str) -> Self:
        """Return an equal row that knows which snapshot it is on."""
        new = copy(self)
        new.__dict__["oid"] = oid
        return new

    def __repr__(self) -> str:
        numbers = [f"{name}={text}" for name in NUMERIC if name != "delta_vs_best" and (text := self.text(name))]
        said = self.hypothesis if len(self.hypothesis) <= _SHORT else f"{self.hypothesis[: _SHORT - 1]}…"
        told = [self.exp_id, self.status or "pending", *numbers, *([repr(said)] if said else [])]
        return f"Trial({' '.join(told)})"

    def _repr_html_(self) -> str:
        return markup.facts(self.cells().items(), f"trial {self.exp_id}")

    @classmethod
    def header(cls) -> tuple[str, ...]:
        """Return the names of the seventeen columns in order."""
        return COLUMNS

    @classmethod
    def from_row(cls, row: Mapping[str, str | None]) -> Self:
        """
        Build a trial from one row, as ``csv.DictReader`` gives it; columns beyond the seventeen go to ``extra``.

        Raises:
            InvalidTrial: as the class, and when the status or the exp id is missing.
        """
        if not row.get("status"):
            raise InvalidTrial("status", row.get("status"), f"a row needs one of {_STATUSES}")
        if not row.get("exp_id"):
            raise InvalidTrial("exp_id", row.get("exp_id"), "a row needs one")
        return cls.from_cells({name: value or "" for name, value in row.items()})

    @classmethod
    def from_cells(cls, cells: Mapping[str, str]) -> Self:
        """Build a trial from cells by column name; unlike `from_row`, the status may be missing."""
        known: dict[str, Any] = {name: cells[name] for name in COLUMNS if name in cells}
        return cls(**known, extra={name: text for name, text in cells.items() if name not in _KNOWN})

    @classmethod
    def trusted(cls, cells: Mapping[str, str]) -> Self:
        """Build a trial from cells that a trial gave before; nothing is checked again."""
        new = copy(_BLANK)
        put = msgspec.structs.force_setattr
        spelled: dict[str, str] = {}
        extra: dict[str, str] = {}
        for column, text in cells.items():
            if column in _TEXTS:
                put(new, column, text)
            elif column == "status":
                put(new, column, _LABELS.get(text))
            elif column in _NUMBERS:
                value = parse_number(text)
                put(new, column, value)
                if text and (value is None or repr(value) != text):
                    spelled[column] = text
            else:
                extra[column] = text
        put(new, "spelled", spelled)
        put(new, "extra", extra)
        return new  # type: ignore[return-value]

    def to_row(self) -> list[str]:
        """Return the text of the seventeen cells, as they were given; empty where nothing was."""
        return [self.text(column) for column in COLUMNS]

    def cells(self) -> dict[str, str]:
        """Return every cell that holds text, and every extra column, by column name."""
        values = _columns(self)
        texts = {column: v if type(v) is str else str(v) for column, v in zip(COLUMNS, values, strict=True) if v}
        if 0 in values:  # zero is a number too
            texts.update((column, str(value)) for column, value in zip(COLUMNS, values, strict=True) if value == 0)
        texts.update(self.spelled)
        texts.update(self.extra)
        return texts

    @property
    def changed(self) -> str:
        """The files that were changed while its command ran, so that its score may be of other code; mostly empty."""
        return self.extra.get(CHANGED, "") if all(map(self.extra.get, _OF_A_RUN)) else ""

    def text(self, column: str) -> str:
        """Return the text of any column's cell as it was given; empty where there is none."""
        if column in self.spelled:
            return self.spelled[column]
        if column not in _KNOWN:
            return self.extra.get(column, "")
        value = getattr(self, column)
        return "" if value is None else str(value)

    def number(self, column: str) -> float | None:
        """Return any column's cell as a finite number, or ``None`` where it is not one."""
        if column in NUMERIC:
            return getattr(self, column)  # type: ignore[no-any-return]
        return parse_number(self.text(column))

    @classmethod
    def of(cls, given: "Trial | Mapping[str, Any]", score_field: str) -> "Trial":
        """
        Return a row that may be given as a mapping of columns to values, with its score in the task's column.

        Args:
            given: the row; in a mapping ``score`` is what the task ranks by, and unknown columns are further ones.
            score_field: the task's column.

        Raises:
            InvalidTrial: as the class; or a score and another number in the task's column.
        """
        if not isinstance(given, Trial):
            known = {name: given[name] for name in (*COLUMNS, "score") if name in given}
            further = {name: value for name, value in given.items() if name not in known and name != "extra"}
            given = cls(**known, extra={**given.get("extra", {}), **further})
        if given.score is None:
            return given
        there = given.text(score_field)
        if there and parse_number(there) != parse_number(str(given.score)):
            raise InvalidTrial("score", given.score, f"the row has {there} in {score_field}, by which the task ranks")
        return given.replace(**{"score": None, score_field: there or str(given.score)})

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some columns changed; names beyond the seventeen change ``extra``."""
        extra = {name: changes.pop(name) for name in list(changes) if name not in self.__struct_fields__}
        if extra:
            changes["extra"] = {**changes.get("extra", self.extra), **extra}
        return msgspec.structs.replace(self, **changes)


COLUMNS: tuple[str, ...] = Trial.__struct_fields__[:17]
NUMERIC: tuple[str, ...] = ("core_metric", "val_bpb", "delta_vs_best", "train_s", "total_s")
TEXT: tuple[str, ...] = tuple(name for name in COLUMNS if name not in NUMERIC and name != "status")
_PACKED = (*COLUMNS, "extra", "spelled")
"""What a packed trial has, in this order."""

_PLACES = {column: at for at, column in enumerate(COLUMNS)}
STATUS = COLUMNS.index("status")
HYPOTHESIS = COLUMNS.index("hypothesis")

_columns = attrgetter(*COLUMNS)
_KNOWN = frozenset(COLUMNS)
_TEXTS = frozenset(TEXT)
_NUMBERS = frozenset(NUMERIC)
_LABELS = {label.value: label for label in FailureLabel}
_STATUSES = ", ".join(label.value for label in FailureLabel)


def pack(trial: Trial) -> str:
    """Return a trial as text, equal for equal trials: its columns in order, then, where it has any, what is beside."""
    beside = [trial.extra, trial.spelled] if trial.extra or trial.spelled else []
    return msgspec.json.encode([*_columns(trial), *beside], order="sorted").decode()


def unpack(text: str, oid: str = "") -> Trial:
    """Return the trial that was packed, and is on a snapshot; it was checked before and is not again."""
    new = copy(_BLANK)
    put = msgspec.structs.force_setattr
    values = msgspec.json.decode(text)
    for column, value in zip(_PACKED, values, strict=False):
        if value is not None and value != "":
            put(new, column, _LABELS[value] if column == "status" else value)
    if len(values) == len(COLUMNS):
        put(new, "extra", {})
        put(new, "spelled", {})
    if oid:
        new.__dict__["oid"] = oid
    return new


def parse_number(text: str) -> float | None:
    """Return the finite number that a cell spells, or ``None``."""
    text = text.strip()
    if not text or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def are_scores(cells: Iterable[tuple[str, str]]) -> bool | None:
    """
    Return whether a column holds scores: each cell a number, NaN and infinity among them; ``None`` if all are empty.

    Args:
        cells: each row's status and its cell; what crashes hold there tells nothing.
    """
    told = [cell.strip() for status, cell in cells if status not in CRASHED and cell.strip()]
    return all(_NON_FINITE.fullmatch(cell) or _NUMBER.fullmatch(cell) for cell in told) if told else None


def check_cells(cells: Mapping[str, str]) -> None:
    """Refuse cells of valid text that `Trial.from_cells` refuses, for whoever needs no trial."""
    if (status := cells.get("status")) and status not in _LABELS:
        _status(status)
    for column in NUMERIC:
        if text := cells.get(column):
            refuse_non_finite(column, text)
    check_exp_id(cells.get("exp_id", AUTO_ID))


def check_exp_id(exp_id: str) -> None:
    """Refuse an exp id that cannot name a trial: empty, padded, overlong or with control characters."""
    if not exp_id:
        raise InvalidTrial("exp_id", exp_id, "must not be empty")
    if _CONTROL.search(exp_id):
        raise InvalidTrial("exp_id", exp_id, "must not hold control characters or line breaks")
    if exp_id != exp_id.strip():
        raise InvalidTrial("exp_id", exp_id, "must not begin or end with a space")
    if len(exp_id) > _MAX_ID:
        raise InvalidTrial("exp_id", exp_id, f"must not be longer than {_MAX_ID} characters")


def check_new_id(exp_id: str) -> None:
    """
    Refuse an exp id for a new trial that no command could name.

    One that somebody else recorded all the same is reached by its label, ``<exp id>@<writer>``.

    Raises:
        InvalidTrial: it begins with a dash, as options do, holds the ``@`` that comes before a writer's name, or leads
            to another folder as a path.
    """
    if exp_id.startswith("-"):
        raise InvalidTrial("exp_id", exp_id, "must not begin with a dash, or it would be taken for an option")
    if "@" in exp_id:
        raise InvalidTrial("exp_id", exp_id, "must not hold @, which comes before a writer's name")
    if any(part in ("", ".", "..") for part in exp_id.split("/")):
        raise InvalidTrial("exp_id", exp_id, "must not lead to a folder: no part between slashes may be empty, . or ..")


def check_id_prefix(prefix: str) -> str:
    """
    Return a prefix for the numbers of automatic exp ids.

    Raises:
        InvalidTrial: it ends in a digit, so that its numbers could not be told apart, or an id could not be typed:
            it holds a blank, ``@`` or ``,``, begins with a dash, or is ``exp_``, which stands for nothing in an id.
    """
    if not prefix or prefix[-1].isdigit():
        raise InvalidTrial("id prefix", prefix, "must end in something else than a digit")
    if re.search(r"[\s@,]", prefix) or prefix.startswith(("-", "exp_")):
        raise InvalidTrial("id prefix", prefix, "must not hold blanks, @ or commas, nor begin with - or exp_")
    check_exp_id(f"{prefix}{'0' * 15}")
    return prefix


def numbered(prefix: str, number: int) -> str:
    """Return the exp id of a number, with at least three digits (semantics 13)."""
    return f"{prefix}{number:03d}"


def split_number(exp_id: str) -> tuple[str, int] | None:
    """Return what is before the number that an exp id ends in, and the number; ``None`` where it ends in none."""
    prefix = exp_id.rstrip("0123456789")
    digits = exp_id[len(prefix) :]
    return (prefix, int(digits)) if digits and len(digits) < 16 else None


def refuse_non_finite(column: str, text: str) -> None:
    """Refuse a cell that spells NaN or infinity, which no ranking can place."""
    if _PLAIN.fullmatch(text):
        return
    told = text.strip()
    if _NON_FINITE.fullmatch(told) or (_NUMBER.fullmatch(told) and not math.isfinite(float(told))):
        raise InvalidTrial(column, text, "a metric must be a finite number; leave it empty where there is none")


def _status(value: object) -> FailureLabel | None:
    if value is None or value == "":
        return None
    try:
        return FailureLabel(str(value))
    except ValueError:
        raise InvalidTrial("status", value, f"must be one of {_STATUSES}") from None


def _number(column: str, value: object, spelled: str | None) -> tuple[float | None, str | None]:
    """Return a numeric cell's value, and its text where a float would spell it differently."""
    if isinstance(value, str):
        number = parse_number(value)
        if number is None:
            refuse_non_finite(column, value)
            return None, _text(column, value) or None
        return number, (value if repr(number) != value else None)
    if value is None:
        return None, spelled if spelled and parse_number(spelled) is None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTrial(column, value, "must be a number")
    if not -sys.float_info.max <= value <= sys.float_info.max:  # also a whole number that no float holds
        raise InvalidTrial(column, value, "a metric must be a finite number; leave it out where there is none")
    if spelled is not None and parse_number(spelled) == value:
        return float(value), spelled
    return float(value), (str(value) if isinstance(value, int) else None)


def _cell(column: str, value: object) -> str:
    """Return the text of a further column's cell, which may be given as a number, a truth value or a moment."""
    if isinstance(value, datetime):
        return stamp(value) if value.tzinfo is not None else value.isoformat()
    if isinstance(value, bool | int | float | date | Decimal):
        return str(value)
    return _text(column, value)


def _text(column: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidTrial(column, value, "must be text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidTrial(column, value, "is not valid Unicode text") from None
    return value


def packed_rows(texts: Iterable[str]) -> "list[list[Any]]":
    """Return what many packed trials hold, in the order of the columns; then the further columns, where there are."""
    return msgspec.json.Decoder(list[list[Any]]).decode(f"[{','.join(texts)}]")


def packed_cells(values: Sequence[Any]) -> dict[str, str]:
    """Return the text of every column of such a row, empty ones too, as `Trial.text` gives it."""
    cells = dict(zip(COLUMNS, values, strict=False))
    for column in NUMERIC:
        value = cells[column]
        cells[column] = "" if value is None else str(value)
    if cells["status"] is None:
        cells["status"] = ""
    for beside in values[len(COLUMNS) :]:
        cells.update(beside)
    return cells


def packed_text(values: Sequence[Any], column: str) -> str:
    """Return the text of any column of such a row, as `Trial.text` does."""
    if len(values) > len(COLUMNS) or column not in _PLACES:
        return packed_cells(values).get(column, "")
    value = values[_PLACES[column]]
    return "" if value is None else str(value)


def told_cells(values: Sequence[Any]) -> dict[str, str]:
    """Return every cell of such a row that holds text, and every further column, as `Trial.cells` does."""
    texts = {column: v if type(v) is str else str(v) for column, v in zip(COLUMNS, values, strict=False) if v}
    if 0 in values[_FIRST_NUMBER:_AFTER_NUMBERS]:  # zero is a number too
        texts.update((column, str(v)) for column, v in zip(COLUMNS, values, strict=False) if v == 0)
    for beside in values[: len(COLUMNS) - 1 : -1]:
        texts.update(beside)
    return texts


def packed_json(texts: Iterable[str]) -> list[list[msgspec.Raw]]:
    """Return what many packed trials hold as `packed_rows` does, each value as the JSON that it is."""
    return _RAW.decode(f"[{','.join(texts)}]")


def json_cells(values: Sequence[msgspec.Raw]) -> msgspec.Raw:
    """Return what `packed_cells` makes of such a row as JSON, for most rows without an object for each cell."""
    numbers = b" ".join(values[_FIRST_NUMBER:_AFTER_NUMBERS])
    if len(values) > len(COLUMNS) or b"e" in numbers or b"0.0000" in numbers:  # Python may write that one otherwise
        return msgspec.Raw(msgspec.json.encode(packed_cells(msgspec.json.decode(b"[%b]" % b",".join(values)))))
    parts = _FRAME.copy()
    parts[1::2] = values
    parts[_NUMBERS_IN_FRAME] = numbers.replace(b"null", b"").split(b" ")
    if values[STATUS] == _NULL:
        parts[2 * STATUS + 1] = b'""'
    return msgspec.Raw(b"".join(parts))


_RAW = msgspec.json.Decoder(list[list[msgspec.Raw]])
_NULL = msgspec.Raw(b"null")
_FIRST_NUMBER, _AFTER_NUMBERS = COLUMNS.index(NUMERIC[0]), COLUMNS.index(NUMERIC[-1]) + 1
_NUMBERS_IN_FRAME = slice(2 * _FIRST_NUMBER + 1, 2 * _AFTER_NUMBERS, 2)
_FRAME: list[Any] = [b"{"]
"""What is around the cells of a row as a JSON object of texts, and between them their places."""

for _name in COLUMNS:
    _FRAME[-1] += b'"%b":%b' % (_name.encode(), b'"' if _name in NUMERIC else b"")
    _FRAME += [b"", b'",' if _name in NUMERIC else b","]
_FRAME[-1] = b"}"

_BLANK = Trial()
_Fields = msgspec.defstruct(
    "_Fields",
    [*((name, Any, getattr(_BLANK, name)) for name in COLUMNS), ("extra", Any, None), ("spelled", Any, None)],
    gc=False,
    array_like=True,
)


def packed_values(texts: Iterable[str], columns: tuple[str, ...] = ()) -> list[Any]:
    """
    Return many packed trials with their fields as attributes, unchecked; a `Trial` for each takes much longer.

    Args:
        columns: the fields that are wanted; the others are not there. By default all.
    """
    together = f"[{','.join(texts)}]"
    if not columns:
        whole: list[Any] = _ALL_FIELDS.decode(together)
        return whole
    decoder, values, made = _some_fields(columns)
    return [made(*values(each)) for each in decoder.decode(together)]


_ALL_FIELDS = msgspec.json.Decoder(list[_Fields])  # type: ignore[valid-type]


@lru_cache(maxsize=8)
def _some_fields(columns: tuple[str, ...]) -> "tuple[msgspec.json.Decoder[Any], Callable[[Any], Any], type[Any]]":
    """Return what decodes trials so that only some fields become objects, what takes these out, and what keeps them."""
    kinds = [(name, Any if name in columns else msgspec.Raw, getattr(_BLANK, name)) for name in COLUMNS]
    beside = [(name, msgspec.Raw, None) for name in ("extra", "spelled")]
    part = msgspec.defstruct("_Part", [*kinds, *beside], gc=False, array_like=True)
    kept = msgspec.defstruct("_Kept", [(name, Any) for name in columns], gc=False)
    return msgspec.json.Decoder(list[part]), attrgetter(*columns), kept  # type: ignore[valid-type]
