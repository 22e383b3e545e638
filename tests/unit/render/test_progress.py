"""gitlineage.render.progress: the staircase in the terminal and as a figure, whatever the scores are."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage.render.progress import Point, Progress, figure, terminal, written

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def made(scores: list[float], lower: bool = True, **more: object) -> Progress:
    """Return the progress of kept trials with these scores."""
    points = tuple(Point(at, score, "keep", f"{at:03d}") for at, score in enumerate(scores))
    steps: list[Point] = []
    for point in points:
        if not steps or (point.score < steps[-1].score if lower else point.score > steps[-1].score):
            steps.append(point)
    return Progress(metric="loss", lower_is_better=lower, points=points, steps=tuple(steps), total=len(points), **more)


def plain(progress: Progress, width: int = 60, height: int = 12, **more: object) -> list[str]:
    """Return the picture without its styles."""
    return ["".join(text for text, _ in line) for line in terminal(progress, width, height, **more)]


def test_a_staircase() -> None:
    """Best so far goes down in steps and ends in a star at the lowest score; heading and axis say the numbers."""
    lines = plain(made([4.0, 3.0, 3.5, 1.0]), 40, 11)
    assert lines[0] == "loss of 4 trials, lower is better; best 1 by 003"
    assert lines[1:] == [
        " 4┤━━━━━━━━━━━┓",
        "  │           ┃           ⠐",
        "  │           ┗━━━━━━━━━━━━━━━━━━━━━━━┓",
        "  │                                   ┃",
        "  │                                   ┃",
        "  │                                   ┃",
        "  │                                   ┃",
        " 1┤                                   ★",
        "  └────────────────────────────────────",
        "   0                                  3",
    ]


def test_higher_is_better() -> None:
    """The staircase goes up."""
    lines = plain(made([1.0, 2.0], lower=False), 40, 9)
    assert "★" in lines[1] and "┛" in lines[-3]


@given(st.lists(NUMBERS, max_size=30), st.booleans(), st.booleans(), st.integers(1, 120), st.integers(1, 40))
def test_any_scores(scores: list[float], lower: bool, log: bool, width: int, height: int) -> None:
    """Whatever the scores, it fits the width, and every score is in the picture or counted as beyond it."""
    lines = plain(made(scores, lower), width, height, log=log)
    assert all(len(line) <= max(width, 30) for line in lines[1:-1])
    low, high = made(scores, lower).range(log)
    assert low < high and math.isfinite(low) and math.isfinite(high)


def test_what_lies_far_away_is_said() -> None:
    """One absurd score does not flatten the others: it is drawn at the edge and counted."""
    lines = plain(made([1.0, 0.9, 0.8, 1e12, 0.7, 0.95, 0.85]))
    assert lines[-1].strip() == "1 score beyond this range, drawn at its edge or left out"
    assert "1┤" in lines[1]


def test_no_scores() -> None:
    """An empty picture says so."""
    assert plain(made([])) == ["loss of 0 trials, lower is better", "no trial has a score yet"]


@pytest.mark.extra("matplotlib")
class TestFigure:
    """The same by matplotlib."""

    @pytest.mark.parametrize(("format", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
    def test_formats(self, format: str, magic: bytes) -> None:
        """Each format begins as it should, and the same progress gives the same bytes."""
        progress = made([4.0, 3.0, 1e9, 1.0])
        first, second = (written(figure(progress), format) for _ in range(2))
        assert first.startswith(magic) and first == second

    def test_hostile_names(self) -> None:
        """Signs that matplotlib or XML would read as their own stand as they are."""
        hostile = "$\\frac{x$ <script>&\x1b"
        progress = Progress(
            metric=hostile, lower_is_better=True, points=(Point(0, 1.0, hostile, hostile),),
            steps=(Point(0, 1.0, "keep", hostile),), total=1,
        )  # fmt: skip
        texts = [
            node.text or ""
            for node in ET.fromstring(written(figure(progress), "svg")).iter()
            if node.tag.endswith("text")
        ]
        assert any("$\\frac{x$ <script>&" in text for text in texts)

    @pytest.mark.parametrize("log", [False, True])
    def test_all_kinds(self, log: bool) -> None:
        """Nothing, one trial and scores of both signs are drawn, too."""
        for scores in ([], [1.0], [-1.0, 0.0, 2.0], [5e-324, 1.7e308]):
            assert written(figure(made(scores), log=log), "png")
