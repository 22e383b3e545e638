"""
Commit messages of snapshots, cohorts and journal commits: subject, body and trailers.

Design 2: the subject is the hypothesis in one line; the trailers carry what the graph alone does not say.
"""

from collections.abc import Iterable, Mapping

import msgspec

from gitlineage.errors import Invalid
from gitlineage.later import pattern

_TRAILER = pattern(r"([A-Za-z][A-Za-z0-9-]*): ?(.*)")
_PARENT = pattern(r"([0-9a-f]{40}) role=([a-z]+)")
_NONCE = pattern(r"(\S+)-\d+")
_NONCES = ("Snapshot-Id", "Cohort-Id", "Session-Id", "Forge-Id")
_BREAKS = pattern(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Trailers(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    What a snapshot's trailers say.

    Args:
        exp_id: ``Exp-Id``, the trial it was made for.
        specialist: ``Specialist``, who made it.
        cohort: ``Cohort``, the batch it is a member of.
        roles: ``Lineage-Parent``, oid and role, in order; an oid that is no git parent gave no content.
    """

    exp_id: str = ""
    specialist: str = ""
    cohort: str = ""
    roles: tuple[tuple[str, str], ...] = ()


def flattened(text: str) -> str:
    """
    Return the text with every run of control characters and line breaks as one space, without outer spaces.

    This is for what is recorded, in subjects and trailers; what is shown goes through `render.text.one_line`.
    """
    return (text if text.isprintable() else _BREAKS.sub(" ", text)).strip()


def compose(message: str, trailers: Iterable[tuple[str, str]]) -> str:
    """
    Return a commit message: what was said, a blank line, the trailers.

    Raises:
        Invalid: it is not text that UTF-8 can hold.
    """
    if not message.isascii():
        try:
            message.encode()
        except UnicodeEncodeError as error:
            raise Invalid(f"the message is not valid Unicode text: {error}") from error
    said = message.replace("\r\n", "\n").replace("\0", "").strip()
    block = "\n".join(f"{key}: {flattened(value)}" for key, value in trailers if value)
    return f"{said}\n\n{block}\n" if block else f"{said}\n"


def snapshot_trailers(
    exp_id: str, specialist: str, cohort: str | None, roles: Mapping[str, str], nonce: str, writer: str = ""
) -> list[tuple[str, str]]:
    """
    Return a snapshot's trailers in their fixed order.

    The nonce keeps two snapshots apart that agree in all else (semantics 2); an exp id does that already. The writer is
    said where that decides whose the snapshot is (semantics 80).
    """
    pairs = [("Exp-Id", exp_id), ("Specialist", specialist), ("Cohort", cohort or "")]
    pairs += [("Lineage-Parent", f"{oid} role={role}") for oid, role in roles.items()]
    return [*pairs, ("Snapshot-Id", nonce), ("Recorded-By", writer)]


def recorder_of(message: str) -> str:
    """
    Return the writer whom a commit names as the one who made it; empty where it names none.

    Besides ``Recorded-By``, the nonces begin with their writer's name. Nobody can add it to a commit that is there.
    """
    trailers: dict[str, str] = {}
    for key, value in trailer_lines(message):
        trailers.setdefault(key, value)
    nonces = (match[1] for key in _NONCES if (match := _NONCE.fullmatch(trailers.get(key, ""))))
    return trailers.get("Recorded-By") or next(nonces, "")


def read_trailers(message: str) -> Trailers:
    """Return what the last paragraph of a commit message says; empty for ordinary commits."""
    trailers: dict[str, str] = {}
    roles = []
    for key, value in trailer_lines(message):
        if key == "Lineage-Parent":
            if match := _PARENT.fullmatch(value):
                roles.append((match[1], match[2]))
        else:
            trailers.setdefault(key, value)
    return Trailers(
        exp_id=trailers.get("Exp-Id", ""),
        specialist=trailers.get("Specialist", ""),
        cohort=trailers.get("Cohort", ""),
        roles=tuple(roles),
    )


def trailer_lines(message: str) -> list[tuple[str, str]]:
    """Return the trailers of a commit message as key and value; a subject alone is never a trailer."""
    paragraphs = message.rstrip().rsplit("\n\n", 1)
    if len(paragraphs) < 2:
        return []
    matches = [_TRAILER.fullmatch(line) for line in paragraphs[1].splitlines()]
    return [(match[1], match[2].strip()) for match in matches if match]


def subject(message: str) -> str:
    """Return the first line of a commit message."""
    return message.lstrip("\n").split("\n", 1)[0]
