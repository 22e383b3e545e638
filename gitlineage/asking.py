"""What has to be said before a command can go on that nobody may guess; `errors.Unclear` carries it."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """
    Something that has to be said before an import can go on.

    Args:
        kind: what it is about, as a noun phrase.
        count: how many rows or columns it is about.
        line: the first line at fault; 0 where it is about no line.
        text: what is the matter.
        options: what settles it, as options completely spelt; any one of them does.
    """

    kind: str
    count: int
    line: int
    text: str
    options: tuple[tuple[str, ...], ...] = ()
