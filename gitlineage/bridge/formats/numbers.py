"""
Numbers as people write them into cells: ``68.6%``, ``12.5ms``, ``113,848``, ``~9.7K req/s``, ``0.91 ± 0.02``.

`read` understands one cell, `scores` a column, whose cells have to be of one unit to be comparable.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from gitlineage.bridge.formats.words import split_words
from gitlineage.model.trial import parse_number

PLAIN, PERCENT, UNIT, THOUSANDS, DECIMAL, ROUGH, ARROW, SHARE = (
    "plain", "percent", "unit", "thousands", "decimal", "rough", "arrow", "share",
)  # fmt: skip
"""How a number was written."""

_PLACEHOLDERS = split_words(
    """
    - -- --- — – . .. ... … ? ?? / x n/a na n.a. none null nil nan inf -inf +inf infinity -infinity tbd todo unknown
    fail failed failure oom crash crashed error err timeout skip skipped pending invalid diverged killed dnf n/m nr
    """
)
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_COMMA = re.compile(r"[+-]?\d+,\d+")
_ROUGH = re.compile(r"(?:~|≈|ca\.?|approx\.?)\s*")
_SHARE = re.compile(r"(\d+)\s*/\s*(\d+)")
_ARROW = re.compile(rf"{_NUMBER}\s*[A-Za-zµμ°%×/]{{0,8}}\s*(?:→|->|=>)\s*(({_NUMBER})(?![\d.]).*)", re.DOTALL)
_TAIL = re.compile(rf"({_NUMBER})\s*(?:±|\+/-|\+-|\(|\[)(.*)", re.DOTALL)
_UNIT = re.compile(rf"({_NUMBER})\s*([A-Za-zµμ°%×][\w/µμ°%·^-]*)((?:@|\s).*)?", re.DOTALL)
_MULTIPLIERS = {"k": 3, "K": 3, "M": 6, "G": 9, "B": 9, "T": 12}
_FAMILIES: tuple[dict[str, float], ...] = (
    {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0,
     "seconds": 1.0, "m": 60.0, "min": 60.0, "mins": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hours": 3600.0},
    {"b": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1024.0, "mib": 1024.0**2,
     "gib": 1024.0**3, "tib": 1024.0**4},
)  # fmt: skip
_LONGEST, _LONGEST_UNIT = 200, 15
_FAR = 100.0
"""How many times what is written with a unit a number without one may be before its unit is in doubt."""


class Number(msgspec.Struct, frozen=True, gc=False):
    """A number that a cell spells: its value, how it was written, and its unit if it has one."""

    value: float
    how: str = PLAIN
    unit: str = ""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """
    A column read as numbers.

    Args:
        values: the number of each cell, ``None`` where there is none.
        texts: how a trial is to spell it: the cell itself where that is a plain number.
        told: what was understood beyond plain numbers, a sentence each.
    """

    values: list[float | None]
    texts: list[str]
    told: list[str]


def is_placeholder(text: str) -> bool:
    """Whether a cell stands for nothing: ``N/A``, ``-``, ``FAIL``, ``OOM`` or a blank."""
    plain = text.strip().strip("*`'\"()[]").casefold()
    return not plain or plain in _PLACEHOLDERS


def read(text: str) -> Number | None:
    """Return the number that a cell spells, or ``None``."""
    told = text.strip().strip("*`").strip().replace("−", "-")
    if (value := parse_number(told)) is not None:
        return Number(value)
    if len(told) > _LONGEST or is_placeholder(told):
        return None
    if bare := _ROUGH.match(told):
        inner = read(told[bare.end() :])
        return None if inner is None else Number(inner.value, ROUGH, inner.unit)
    if told.startswith("$") and (inner := read(told[1:])) is not None:
        return Number(inner.value, UNIT, "$")
    if _THOUSANDS.fullmatch(told):
        return _number(told.replace(",", ""), THOUSANDS)
    if _COMMA.fullmatch(told):
        return _number(told.replace(",", "."), THOUSANDS)
    if share := _SHARE.fullmatch(told):
        part, whole = int(share[1]), int(share[2])
        return Number(part / whole, SHARE, share[2]) if part <= whole and whole else None  # else two numbers
    if arrow := _ARROW.fullmatch(told):
        after = read(arrow[1])
        return _number(arrow[2], ARROW) if after is None else Number(after.value, ARROW, after.unit)
    if tail := _TAIL.fullmatch(told):
        return _number(tail[1], ROUGH)
    if match := _UNIT.fullmatch(told):
        return _with_unit(match[1], match[2], (match[3] or "").strip())
    return None


def scores(cells: Sequence[str]) -> Column:
    """
    Return a column's cells as numbers that can be compared: of one unit where several were written.

    What cannot be turned into the unit of the others has no value, and that is told: 55% never ranks above 0.52.
    """
    read_cells = _read_commas(cells) or [read(cell) for cell in cells]
    units = [unit for unit, _ in Counter(each.unit for each in read_cells if each and _has_unit(each)).most_common()]
    family = next((each for each in _FAMILIES if len(units) > 1 and all(u.casefold() in each for u in units)), None)
    factors, told = _one_scale(read_cells, units, family)
    values: list[float | None] = []
    texts: list[str] = []
    by_how: dict[str, list[str]] = {}
    left_out: dict[str, list[str]] = {}
    for cell, each in zip(cells, read_cells, strict=True):
        factor = factors(each) if each is not None else None
        if each is None or factor is None:
            values.append(None)
            texts.append("")
            if each is not None:
                left_out.setdefault(each.unit, []).append(cell.strip())
            continue
        value = each.value * factor if factor >= 1 else each.value / round(1 / factor, 9)
        plain = each.how == PLAIN
        values.append(value)
        texts.append(cell.strip() if plain and factor == 1 and parse_number(cell) is not None else _spelled(value))
        if not plain:
            by_how.setdefault(each.how, []).append(f"{cell.strip()} as {texts[-1]}")
    for how, sentence in _SENTENCES.items():
        if examples := by_how.get(how):
            told.append(f"{sentence} in {len(examples)} of the cells: {examples[-1] if how == ROUGH else examples[0]}")
    if left_out:
        shown = [cell for cells_of in left_out.values() for cell in cells_of]
        many = "1 cell is" if len(shown) == 1 else f"{len(shown)} cells are"
        told.append(f"{many} of another scale than the others, and unscored: {', '.join(shown[:4])}")
    if family is not None:
        told.append(f"units differ ({', '.join(units[:6])}): all were turned into {units[0]}")
    return Column(values=values, texts=texts, told=told)


def _read_commas(cells: Sequence[str]) -> list[Number | None] | None:
    """
    Return a column whose commas are decimal points, ``None`` where they are not.

    ``1,234`` may be either; beside ``0,52`` it is a little more than one.
    """
    plain = [cell.strip() for cell in cells]
    single = [cell for cell in plain if _COMMA.fullmatch(cell)]
    surely = any(not _THOUSANDS.fullmatch(cell) for cell in single)
    if not surely or any(_THOUSANDS.fullmatch(cell) and cell not in single for cell in plain):
        return None
    return [_number(cell.replace(",", "."), DECIMAL) if _COMMA.fullmatch(cell) else read(cell) for cell in plain]


def _has_unit(number: Number) -> bool:
    return bool(number.unit) and number.how != SHARE


def _one_scale(
    read_cells: Sequence[Number | None], units: Sequence[str], family: dict[str, float] | None
) -> tuple[Callable[[Number], float | None], list[str]]:
    """
    Return by what each number is to be multiplied so that all are of one scale, ``None`` where that is not known.

    Args:
        read_cells: the numbers of a column.
        units: their units, the commonest first.
        family: the sizes of these units, where they measure the same.
    """
    present = [each for each in read_cells if each is not None and each.value]
    bare = [abs(each.value) for each in present if not _has_unit(each)]
    first = units[0].casefold() if units else ""
    with_unit = [abs(each.value) for each in present if _has_unit(each) and each.unit.casefold() == first]
    if family is not None:
        sizes = {unit: size / family[first] for unit, size in family.items()}
        turned = [abs(each.value) * sizes[each.unit.casefold()] for each in present if _has_unit(each)]
        least, most = min(turned, default=0.0) / _FAR, max(turned, default=0.0) * _FAR

        def size(each: Number) -> float | None:
            if _has_unit(each):
                return sizes[each.unit.casefold()]
            return 1.0 if not each.value or least <= abs(each.value) <= most else None

        return size, []
    if not units:
        shares = sum(each.how == SHARE for each in present)
        counts = sum(each.how != SHARE and abs(each.value) > 1 for each in present)
        if not shares or not counts:
            return lambda each: 1.0, []
        return lambda each: 1.0 if (each.how == SHARE) == (shares > counts) or not each.value else None, []
    percent = first == "%"
    if percent and bare and max(bare) <= 1 < min(with_unit, default=0.0):
        many = "1 of the cells" if len(with_unit) == 1 else f"{len(with_unit)} of the cells"
        told = [f"percents among fractions were divided by a hundred in {many}"]
        return lambda each: 1.0 if not _has_unit(each) else 0.01 if each.unit == "%" else None, told
    ruling, units_rule = (with_unit, True) if len(with_unit) >= len(bare) else (bare, False)
    low, high = min(ruling, default=0.0), max(ruling, default=0.0)

    def factor(each: Number) -> float | None:
        value, has_unit = abs(each.value), _has_unit(each)
        if has_unit and each.unit.casefold() != first:
            return None
        if has_unit is units_rule or not value:
            return 1.0
        near = min(low, value) > 1 if percent else low / _FAR <= value <= high * _FAR
        return 1.0 if near else None

    return factor, []


_SENTENCES = {
    PERCENT: "percent signs were read as numbers",
    UNIT: "units were cut off",
    THOUSANDS: "commas inside numbers were taken for separators",
    DECIMAL: "commas inside numbers were read as points",
    ROUGH: "rough numbers were read",
    ARROW: "of `before → after` the number after was read",
    SHARE: "shares were read as quotients",
}


def _number(text: str, how: str, unit: str = "") -> Number | None:
    value = parse_number(text)
    return None if value is None else Number(value, how, unit)


def _with_unit(digits: str, unit: str, rest: str) -> Number | None:
    value = parse_number(digits)
    if value is None or len(unit) > _LONGEST_UNIT:
        return None
    if unit == "%":
        return Number(value, PERCENT, "%")
    power = _MULTIPLIERS.get(unit)
    if power is not None:
        try:
            scaled = float(Decimal(digits).scaleb(power))
        except (InvalidOperation, OverflowError):
            return None
        return Number(scaled, UNIT, rest.split("@")[0].strip()) if math.isfinite(scaled) else None
    if len(rest) > 40 or rest.count(" ") > 3:
        return None  # prose that begins with a number
    return Number(value, UNIT, unit)


def _spelled(value: float) -> str:
    """Return a number as a trial's cell spells it."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"
