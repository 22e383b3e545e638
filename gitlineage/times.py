"""Moments and the ISO 8601 texts that name them, in UTC."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=64)
def stamp(moment: datetime) -> str:
    """Return a moment in UTC as ISO 8601 with ``Z``, whole seconds."""
    return f"{(moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()[:19]}Z"


def exact(moment: datetime) -> str:
    """Return a moment in UTC as ISO 8601 with ``Z``, to the microsecond where it has any."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def parse_time(text: str) -> datetime | None:
    """Return the moment that an ISO 8601 text names, in UTC where it names no zone; ``None`` where it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):  # a zone can lead out of the years 1 to 9999
        return None
    return moment
