"""
In which direction a score improves, and from where that is known: a setting, a text beside the file, the rows, a name.

What rows say is counted (`Votes`): a kept row beats the best before it, a discarded one does not. A name alone is a
guess, and is marked as one. Where rows and name contradict each other, nobody guesses: it is asked.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from gitlineage.asking import Problem
from gitlineage.bridge.formats import numbers, words
from gitlineage.bridge.formats.found import Found
from gitlineage.bridge.formats.source import json_of

_TEXTS = (
    "program.md", "autoresearch.md", "task.yaml", "task.yml", "prompt.md", "agents.md", "claude.md", "goal.md",
    "task.md", "objective.md", "program.txt", "readme.md", "autoresearch.config.json", "autoresearch-state.json",
    "skill.md", "experiment.md", "loop.md",
)  # fmt: skip
"""Names of texts beside a table that may say what its loop is after, the likeliest first."""

_OF_LOOPS = (
    "program.md", "autoresearch.md", "task.yaml", "task.yml", "goal.md", "task.md", "objective.md", "program.txt",
    "autoresearch.config.json", "autoresearch-state.json", "experiment.md", "loop.md",
)  # fmt: skip
"""Names of those that are for a loop alone, and may lie above its table."""

_ABOVE = 4
"""Folders from a table's own upwards that are looked into."""

_ENDINGS = (".md", ".txt", ".yaml", ".yml", ".json")
_METRICS = ("metric", "metric_name", "primary_metric", "metricName")
_GENERIC = ("metric", "score", "value", "metric_value", "primary_metric", "objective")
_LARGEST = 1 << 18
_LEANING = 0.5
"""Share of rows that agree with what most people mean by a name, at least, for it to be taken for that."""

_STEPS = 4
"""Steps between kept rows that are enough to show a direction where one was measured otherwise."""
_LOW = re.compile(
    r"\b(lower\s+(?:[\w`]+\s+){0,3}?(?:is\s+|=\s*)?better|lowest|minimi[sz]\w*|smaller\s+is\s+better|get\s+\S+\s+down|lower_is_better|"
    r"reduc(?:e|ing)|as\s+low\s+as|decreas(?:e|ing)|↓)", re.IGNORECASE,
)  # fmt: skip
_HIGH = re.compile(
    r"\b(higher\s+(?:[\w`]+\s+){0,3}?(?:is\s+|=\s*)?better|highest|maximi[sz]\w*|larger\s+is\s+better|bigger\s+is\s+better|"
    r"higher_is_better|as\s+high\s+as|increas(?:e|ing)|rais(?:e|ing)\s+`|↑)", re.IGNORECASE,
)  # fmt: skip
_AIM = re.compile(
    r"\b(optimi[sz]e|maximi[sz]e|minimi[sz]e|raise|improve|lowest|highest|(?:primary|main|target)\s+metric|"
    r"objective|the\s+metric|ranked?\s+by)\b", re.IGNORECASE,
)  # fmt: skip
"""Words after which a text names what a loop is after."""

_NEAR = 60
"""Characters after such a word in which that name has to begin."""

_LATEST = 200
"""Scores that a change is looked for from."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+|;\s")
_SETTINGS = (
    "metric_direction",
    "direction",
    "optimize",
    "optimise",
    "goal_direction",
    "best_direction",
    "objective_direction",
    "bestDirection",
)
_CHANGE = words.split_words("delta diff change gain vs improvement pct percent")


class Direction(msgspec.Struct, frozen=True, kw_only=True):
    """
    In which direction a score improves.

    Args:
        lower: whether lower is better.
        assumed: whether that is a guess that later rows may settle.
        why: from where it is known.
    """

    lower: bool = True
    assumed: bool = False
    why: str = ""

    @property
    def text(self) -> str:
        """The direction in words."""
        return f"{'lower' if self.lower else 'higher'} is better{' (assumed)' if self.assumed else ''}"


class Votes(msgspec.Struct, kw_only=True):
    """How many rows say that one direction is right, and how many say that it is not."""

    kept_for: int = 0
    kept_against: int = 0
    others_for: int = 0
    others_against: int = 0

    @property
    def share(self) -> float:
        """The share of rows that agree; a half where there are none."""
        total = self.kept_for + self.kept_against + self.others_for + self.others_against
        return (self.kept_for + self.others_for) / total if total else 0.5

    @property
    def total(self) -> int:
        """How many rows say anything."""
        return self.kept_for + self.kept_against + self.others_for + self.others_against


def flag(lower: bool) -> str:
    """Return the option that says a direction."""
    return "--lower-is-better" if lower else "--higher-is-better"


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """
    What one row says of a direction: its class, its score, what the score was before it, and its scale.

    ``before`` is ``None`` where the file does not say it.
    """

    status: str
    score: float | None
    before: float | None = None
    scale: str = ""


def evidence_of(table: Found, metric: str, statuses: Sequence[str], scaled: Sequence[str]) -> list[Evidence]:
    """Return what the rows of a file say about a column."""

    def read(column: str) -> list[float | None]:
        cells = [
            "" if row.odd or status in words.UNSCORED else row.cells.get(column, "")
            for row, status in zip(table.rows, statuses, strict=True)
        ]
        return numbers.scores(cells).values

    own = words.parts_of(metric)
    earlier = {"after": ("before",), "new": ("old", "prev", "previous", "before"), "candidate": ("parent", "baseline")}
    wanted: set[str] = set()
    for part, others in earlier.items():
        if part in own:
            wanted |= {"_".join(other if each == part else each for each in own) for other in others}
    before = next((name for name in table.columns if name != metric and "_".join(words.parts_of(name)) in wanted), None)
    scores = read(metric)
    change = next((name for name in table.columns if name.casefold() == "delta" and name != metric), None)
    if before is not None:
        befores = read(before)
    elif change is not None:
        befores = _before_changes(scores, read(change))
    else:
        befores = [None] * len(table.rows)
    return [
        Evidence(status, score, old, scale)
        for status, score, old, scale in zip(statuses, scores, befores, scaled, strict=True)
    ]


def _before_changes(scores: Sequence[float | None], changes: Sequence[float | None]) -> list[float | None]:
    """Return what each score was before, where its row says how much it changed and an earlier row has that score."""
    befores: list[float | None] = []
    latest: dict[float, None] = {}
    for score, change in zip(scores, changes, strict=True):
        old = score if change == 0 else None
        if score is not None and change:
            step = abs(change)
            wanted = round((score - change) / step, 2)
            old = next((each for each in reversed(latest) if round(each / step, 2) == wanted), None)
        befores.append(old)
        if score is not None:
            latest.pop(score, None)
            latest[score] = None
            if len(latest) > _LATEST:
                del latest[next(iter(latest))]
    return befores


def follows(scores: Sequence[float | None], changes: Sequence[float | None]) -> int:
    """Return how many changes lead from a score to that of an earlier row; 0 where as many lead nowhere."""
    told = [
        old is not None
        for old, score, change in zip(_before_changes(scores, changes), scores, changes, strict=True)
        if score is not None and change
    ]
    return sum(told) if sum(told) * 2 > len(told) else 0


def judge(
    table: Found, metric: str, evidence: Sequence[Evidence], beside: Path | None, names: Sequence[str]
) -> Direction | Problem:
    """
    Return in which direction a column improves, or what has to be said first.

    Args:
        found: what was read.
        metric: the column.
        evidence: what each row says, in file order.
        beside: the folder whose texts may say it.
        names: what the metric is called.
    """
    if (told := _told(table)) is not None:
        return told
    named = next((name for name in names if words.direction_of(name) is not None), metric)
    by_name = words.direction_of(named)
    if any("↓" in name or "↑" in name for name in names) and by_name is not None:
        return Direction(lower=by_name, why="the column's name")
    shown, sentence = rows_say(metric, evidence)
    if beside is not None and (read := _texts(beside, names)) is not None:
        lower, text = read
        against = f", against what the kept rows show ({sentence})" if shown is not None and shown != lower else ""
        return Direction(lower=lower, why=f"{text}{against}")
    if shown is not None and by_name in (None, shown):
        return Direction(lower=shown, why=sentence)
    if shown is None and by_name is not None:
        lower_votes, higher_votes = (votes(metric, evidence, side) for side in (True, False))
        own, other = (lower_votes, higher_votes) if by_name else (higher_votes, lower_votes)
        if own.kept_for and not own.kept_against:
            return Direction(lower=by_name, why=f"the name {named} and all kept rows say it")
        if not own.total or own.share >= other.share:
            says = f"{own.kept_for + own.others_for} of {own.total} rows agree" if own.total else "the rows say nothing"
            return Direction(lower=by_name, assumed=True, why=f"the name {named} says it; {says}")
    leaning = next((name for name in names if words.leaning_of(name) is not None), None)
    if shown is None and by_name is None and leaning is not None:
        own, other = votes(metric, evidence, False), votes(metric, evidence, True)
        if not own.kept_against and own.share >= other.share and own.share >= _LEANING:
            says = f"{own.kept_for + own.others_for} of {own.total} rows agree" if own.total else "the rows say nothing"
            return Direction(lower=False, assumed=True, why=f"most people mean that by {leaning}; {says}")
    if shown is not None:
        text = f"the name {named} says {'lower' if by_name else 'higher'}, but {sentence}"
    elif by_name is not None:
        own, other = votes(metric, evidence, by_name), votes(metric, evidence, not by_name)
        text = (
            f"the name {named} says {'lower' if by_name else 'higher'}, but only "
            f"{own.kept_for + own.others_for} of {own.total} rows agree, and {other.kept_for + other.others_for} of "
            f"{other.total} with the other way"
        )
    else:
        scores = [each.score for each in evidence if each.score is not None]
        says = "one row shows nothing"
        if len(scores) > 1:
            says = "the rows go both ways" if len(set(scores)) > 1 else f"all {len(scores)} rows have the same score"
        text = f"{says}, and neither the name {metric} nor a text beside the file says it"
    settle = tuple(("--metric", metric, flag(side)) for side in (True, False))
    return Problem(kind="the direction is not known", count=1, line=0, text=text, options=settle)


def decides(evidence: Sequence[Evidence], lower: bool | None) -> float:
    """Return the share of kept rows that are strictly better than the kept row before them."""
    kept = [each.score for each in evidence if each.status in ("keep", "baseline") and each.score is not None]
    steps = list(pairwise(kept))
    if lower is None or not steps:
        return 0.0
    return sum(new < old if lower else new > old for old, new in steps) / len(steps)


def verdict(metric: str, evidence: Sequence[Evidence]) -> bool | None:
    """Return the direction that rows and name of a column agree on; ``None`` where they do not, or say nothing."""
    by_name = words.direction_of(metric)
    shown, _ = rows_say(metric, evidence)
    if shown is None:
        own, other = votes(metric, evidence, bool(by_name)), votes(metric, evidence, not by_name)
        return by_name if by_name is not None and own.share >= other.share else None
    return shown if by_name in (None, shown) else None


def rows_say(metric: str, evidence: Sequence[Evidence]) -> tuple[bool | None, str]:
    """Return the direction that the rows show, and a sentence that says how; ``None`` where they do not agree."""
    both = {side: votes(metric, evidence, side) for side in (True, False)}
    for side in (True, False):
        own, other = both[side], both[not side]
        word = "fall" if side else "rise"
        kept = own.kept_for + own.kept_against
        if own.kept_for and not own.kept_against:
            if own.others_for + own.others_against > 2 and own.others_for < own.others_against and own.kept_for < 2:
                continue
            return side, f"kept rows {word} ({own.kept_for} of {kept})"
        if own.kept_for and not other.kept_for and own.kept_for * 3 >= own.kept_against:
            return side, f"kept rows {word} from the first ({own.kept_for} of {kept} beat the best before)"
        if own.total >= 8 and own.share >= 0.7 and own.share - other.share >= 0.3:
            return side, f"{own.kept_for + own.others_for} of {own.total} rows say {'lower' if side else 'higher'}"
        if not kept and own.others_for >= 3 and not own.others_against and other.others_against:
            return side, f"all {own.others_for} discarded rows are worse that way"
    stood = [each.score for each in evidence if each.status in ("keep", "baseline") and each.score is not None]
    steps = [new - old for old, new in pairwise(stood) if new != old]
    falls = sum(step < 0 for step in steps)
    most = max(falls, len(steps) - falls)
    if len(steps) >= _STEPS and most * 4 >= len(steps) * 3:
        side = falls * 2 > len(steps)
        return side, f"{most} of {len(steps)} steps between kept rows {'fall' if side else 'rise'}"
    return None, ""


def votes(metric: str, evidence: Iterable[Evidence], lower: bool) -> Votes:
    """
    Count which rows agree with a direction: kept ones that beat the best before them, others that do not.

    A row that says what the score was before it is held against that; one of another scale against the best of its own.
    """
    count = Votes()
    rows = [each for each in evidence if each.score is not None]
    parts = set(words.parts_of(metric))
    is_change = bool(parts & _CHANGE) and len({each.score < 0 for each in rows if each.score}) == 2
    bests: dict[str, float | None] = {}
    for each in rows:
        score = each.score
        best = each.before if each.before is not None else bests.get(each.scale, 0.0 if is_change else None)
        if score is None or each.status not in ("keep", "discard", "baseline"):
            continue
        if each.status == "baseline":
            bests[each.scale] = score  # a new beginning
            continue
        if best is None:
            if each.status == "keep":
                bests[each.scale] = score
            continue
        beats = score < best if lower else score > best
        if each.status == "keep":
            count.kept_for += beats
            count.kept_against += not beats and score != best
            if beats or (each.before is not None and each.scale not in bests):
                bests[each.scale] = score
        elif score != best:
            count.others_for += not beats
            count.others_against += beats
    return count


def _told(table: Found) -> Direction | None:
    """Return what a comment or a column of the file says of the direction."""
    for setting in _SETTINGS:
        if (text := table.settings.get(setting)) and (lower := words.direction_word(text)) is not None:
            return Direction(lower=lower, why=f"a comment says {setting}: {text[:60]}")
    for column in table.columns:
        if "_".join(words.parts_of(column)) in ("metric_direction", "direction", "best_direction", "optimize"):
            said = {words.direction_word(cell) for row in table.rows if (cell := row.cells.get(column, "").strip())}
            if len(said) == 1 and (lower := said.pop()) is not None:
                cell = next(cell for row in table.rows if (cell := row.cells.get(column, "").strip()))
                return Direction(lower=lower, why=f"{column}: {cell}")
    return None


def objective(folder: Path, names: Sequence[str]) -> tuple[str, str] | None:
    """
    Return which of some columns a text for the loop says that it is after, and the sentence; ``None`` where none does.

    ``Optimize `board_exact` first`` does; a text that is after several of them says nothing.
    """
    wanted = {name: re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])") for name in names if len(name) > 1}
    for path, text in _beside(folder):
        if path.name.casefold() not in _OF_LOOPS:
            continue
        aims: dict[str, str] = {}
        for sentence in _SENTENCE.split(text):
            for aim in _AIM.finditer(sentence[:1000]):
                after = sentence[aim.end() : aim.end() + _NEAR]
                for name, spelt in wanted.items():
                    if spelt.search(after):
                        aims.setdefault(name, _shortened(sentence))
        if len(aims) == 1:
            ((name, sentence),) = aims.items()
            return name, f'{path.name}: "{sentence}"'
    return None


def _texts(folder: Path, names: Sequence[str]) -> tuple[bool, str] | None:
    """Return what a text in a folder says of a metric's direction, and the sentence; ``None`` where none does."""
    for path, text in _beside(folder):
        if path.suffix.casefold() == ".json" and (told := _configured(text, names)) is not None:
            return told[0], f"{path.name}: {told[1]}"
        if said := _says(text, names):
            return said[0], f'{path.name}: "{said[1]}"'
    return None


def _beside(folder: Path) -> Iterator[tuple[Path, str]]:
    """
    Return the texts in a folder that may be about its tables, the likeliest first.

    Above that folder, up to the top of its repository, only texts that are for a loop are read.
    """
    place = folder.absolute()
    for above in range(_ABOVE):
        yield from _texts_in(place, _TEXTS if not above else _OF_LOOPS)
        if (place / ".git").exists() or place.parent == place:
            return
        place = place.parent
        if not _is_inside(place):
            return


def _is_inside(folder: Path) -> bool:
    """Whether a folder is in a repository or its top, near enough for its texts to be about what lies below."""
    return any((each / ".git").exists() for each in [folder, *folder.parents][:_ABOVE])


def _texts_in(folder: Path, wanted: Sequence[str]) -> Iterator[tuple[Path, str]]:
    try:
        present = {path.name.casefold(): path for path in folder.iterdir() if path.suffix.casefold() in _ENDINGS}
    except OSError:
        return
    for path in filter(None, map(present.get, wanted)):
        try:
            if path.is_file() and path.stat().st_size <= _LARGEST:
                yield path, path.read_text("utf-8", "replace")
        except OSError:
            continue


def _configured(text: str, names: Sequence[str]) -> tuple[bool, str] | None:
    """Return the direction that a loop's settings say, where they are about one of some names or about no name."""
    settings = json_of(text)
    for each in (settings, *(settings.values() if isinstance(settings, dict) else ())):
        if not isinstance(each, dict):
            continue
        key = next((key for key in _SETTINGS if isinstance(each.get(key), str)), None)
        about = next((each[key] for key in _METRICS if isinstance(each.get(key), str)), "")
        if key is None or (lower := words.direction_word(each[key])) is None:
            continue
        plain = {"_".join(words.parts_of(name)) for name in names}
        if not about or plain & {"_".join(words.parts_of(about)), *_GENERIC}:
            called = f" (metric {about})" if about else ""
            return lower, f"{key} is {each[key]}{called}"
    return None


def _says(text: str, names: Sequence[str]) -> tuple[bool, str] | None:
    """Return the direction that a text's sentences about a metric agree on, with the first of them."""
    wanted = [re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w])", re.IGNORECASE) for name in names if len(name) > 1]
    said: list[tuple[bool, str]] = []
    for sentence in _SENTENCE.split(text):
        if len(sentence) > 1000 or not any(name.search(sentence) for name in wanted):
            continue
        low, high = _LOW.search(sentence), _HIGH.search(sentence)
        if bool(low) != bool(high):
            said.append((bool(low), _shortened(sentence)))
    sides = {side for side, _ in said}
    return said[0] if len(sides) == 1 else None


def _shortened(sentence: str) -> str:
    told = " ".join(sentence.strip(" *#->|`").replace("**", "").split())
    return told[:117] + "…" if len(told) > 118 else told
