"""The progress plot as a small SVG that needs no library: for a README, light or dark. Start at `staircase_svg`."""

from html import escape

from gitlineage.render.progress import Point, Progress
from gitlineage.text import words

_WIDE, _HIGH, _LEFT, _TOP, _FOOT = 860, 320, 70, 40, 30


def staircase_svg(progress: Progress) -> str:
    """Return every score as a dot and the best so far as a line; what lies far away stands at the edge."""
    low, high = progress.range()
    last = max(progress.total - 1, 1)

    def place(point: Point) -> tuple[float, float]:
        share = (high - min(max(point.score, low), high)) / (high - low)
        return _LEFT + point.at / last * (_WIDE - _LEFT - 20), _TOP + share * (_HIGH - _TOP - _FOOT)

    title = escape(words(progress.words()))
    drawn = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2"/>' for x, y in map(place, progress.points)]
    path = ""
    for step in progress.steps:
        x, y = place(step)
        path += f"M{x:.1f} {y:.1f}" if not path else f"H{x:.1f}V{y:.1f}"
    path += f"H{_WIDE - 20}" if path else ""
    ends = ((_TOP + 4, high), (_HIGH - _FOOT, low))
    labels = "".join(f'<text x="{_LEFT - 8}" y="{y}" text-anchor="end">{value:.5g}</text>' for y, value in ends)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" role="img" font-family="sans-serif" '
        f'font-size="12" fill="#7d8590"><title>{title}</title><text x="{_LEFT}" y="20" font-size="13">{title}</text>'
        f'<path d="M{_LEFT} {_TOP}V{_HIGH - _FOOT}H{_WIDE - 20}" fill="none" stroke="#7d8590"/>{labels}'
        f'<g fill="#b8860b" fill-opacity=".6">{"".join(drawn)}</g>'
        f'<path d="{path}" fill="none" stroke="#2da44e" stroke-width="2.5"/></svg>\n'
    )
