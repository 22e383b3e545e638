"""
The demo's script: three specialists, what each tries and from where; how it comes out is measured.

Each round starts from one parent state. The ids follow from the order: the baseline is ``000``.
"""

import msgspec

from gitlineage.demo import passages
from gitlineage.demo.edits import Edit, add, constant, move, passage

BEST = "best"
"""Stands among a round's parents for the best trial when the round starts."""


class Idea(msgspec.Struct, frozen=True, kw_only=True):
    """
    One trial to run: the edits, and the cells that are known beforehand.

    Args:
        specialist: who proposes it.
        domain: what it is about.
        hypothesis: why it should help.
        expected_delta: by how many bits per byte, as the specialist would write it.
        edits: the changes to the parent's files.
    """

    specialist: str
    domain: str
    hypothesis: str
    expected_delta: str
    edits: tuple[Edit, ...] = ()

    def cells(self) -> dict[str, str]:
        """Return the cells of its row by column."""
        return {name: getattr(self, name) for name in ("specialist", "domain", "hypothesis", "expected_delta")}


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """
    Ideas that start from the same parents: one makes a fork, two a crossover of a base and a mate.

    Args:
        parents: exp ids or `BEST`.
        ideas: what is tried, in the order of recording.
        cohort: the name under which they are grouped.
        purpose: what the cohort is to find out.
    """

    parents: tuple[str, ...] = ()
    ideas: tuple[Idea, ...]
    cohort: str | None = None
    purpose: str = ""


ROUNDS: tuple[Round, ...] = (
    Round(
        ideas=(
            Idea(
                specialist="baseline",
                domain="baseline",
                hypothesis="Byte trigrams, each context worth 16 observations of the shorter one's guess",
                expected_delta="0",
            ),
        ),
    ),
    Round(
        cohort="longer-context",
        purpose="how many bytes of context 48 kB of text can feed",
        parents=("000",),
        ideas=(
            Idea(
                specialist="context",
                domain="order",
                hypothesis="Three bytes of context tell keywords apart that two cannot",
                expected_delta="-0.15",
                edits=(constant("ORDER", "3"),),
            ),
            Idea(
                specialist="context",
                domain="order",
                hypothesis="Four bytes hold an indent or most of a keyword",
                expected_delta="-0.2",
                edits=(constant("ORDER", "4"),),
            ),
            Idea(
                specialist="context",
                domain="order",
                hypothesis="Ten bytes hold whole identifiers, which source code repeats",
                expected_delta="-0.3",
                edits=(constant("ORDER", "10"),),
            ),
        ),
    ),
    Round(
        cohort="estimators",
        purpose="what to make of a context that was seen a few times only",
        parents=("002",),
        ideas=(
            Idea(
                specialist="smooth",
                domain="estimator",
                hypothesis="The long contexts are too sure of themselves: trust the shorter guess four times as much",
                expected_delta="-0.05",
                edits=(constant("MASS", "64.0"),),
            ),
            Idea(
                specialist="smooth",
                domain="estimator",
                hypothesis="Absolute discounting: take 0.75 off every count and hand that to the shorter context",
                expected_delta="-0.1",
                edits=(passage("MASS = 16.0", "DISCOUNT = 0.75"), passage(passages.MASS, passages.DISCOUNT)),
            ),
            Idea(
                specialist="smooth",
                domain="estimator",
                hypothesis="Doubt a context by its kinds per repeat: one that keeps surprising gets less say",
                expected_delta="-0.1",
                edits=(passage(passages.MASS, passages.SURPRISE),),
            ),
            Idea(
                specialist="smooth",
                domain="counting",
                hypothesis="Count a byte in a shorter context only when the longer one had not seen it before",
                expected_delta="-0.1",
                edits=(passage(passages.COUNTING, passages.COUNTING_NEWS),),
            ),
        ),
    ),
    Round(
        cohort="corpus",
        purpose="which 48 kB to train on",
        parents=("002",),
        ideas=(
            Idea(
                specialist="data",
                domain="cleaning",
                hypothesis="Comments are prose: leave them out and the budget goes into code",
                expected_delta="-0.05",
                edits=(
                    passage("import math\n", "import math\nimport re\n"),
                    passage(passages.JOINED, passages.WITHOUT_COMMENTS),
                ),
            ),
            Idea(
                specialist="data",
                domain="priming",
                hypothesis="Begin with a page of the idioms that every module uses",
                expected_delta="-0.02",
                edits=(add("primer.txt", passages.PRIMER), passage(passages.JOINED, passages.PRIMED)),
            ),
            Idea(
                specialist="data",
                domain="mixture",
                hypothesis="Six kilobytes each of eight modules beat sixteen each of three: more ways to write",
                expected_delta="-0.1",
                edits=(constant("MODULE_BYTES", "6_000"),),
            ),
        ),
    ),
    Round(
        parents=("007", "005"),
        ideas=(
            Idea(
                specialist="smooth",
                domain="crossover",
                hypothesis="Discounting failed on raw counts; on counts of news it is Kneser-Ney: cross 007 with 005",
                expected_delta="-0.05",
            ),
        ),
    ),
    Round(
        parents=("011", "010"),
        ideas=(
            Idea(
                specialist="data",
                domain="crossover",
                hypothesis="010 lost to the best but gained on its parent: its mixture under the new estimator",
                expected_delta="-0.1",
            ),
        ),
    ),
    Round(
        cohort="memory",
        purpose="what else the next byte depends on",
        parents=("012",),
        ideas=(
            Idea(
                specialist="context",
                domain="context",
                hypothesis="The line so far is a context of its own: lines begin alike",
                expected_delta="-0.03",
                edits=(passage(passages.SUFFIXES, passages.LINES),),
            ),
            Idea(
                specialist="context",
                domain="context",
                hypothesis="The last two words, whatever space is between them, reach past the indent",
                expected_delta="-0.03",
                edits=(passage(passages.SUFFIXES, passages.WORDS),),
            ),
            Idea(
                specialist="context",
                domain="adaptation",
                hypothesis="Learn each held-out byte once it is scored: a module repeats its own names",
                expected_delta="-0.3",
                edits=(passage(passages.UNMOVED, passages.LEARNING),),
            ),
        ),
    ),
    Round(
        cohort="discounts",
        purpose="how much to hand to the shorter context",
        parents=("012",),
        ideas=(
            Idea(
                specialist="smooth",
                domain="discount",
                hypothesis="Most counts are ones, and a one proves little: discount 0.85",
                expected_delta="-0.02",
                edits=(constant("DISCOUNT", "0.85"),),
            ),
            Idea(
                specialist="smooth",
                domain="discount",
                hypothesis="Keep the discount but hand over a whole count for every kind",
                expected_delta="-0.05",
                edits=(passage(passages.FREED, passages.ALL_FREED),),
            ),
        ),
    ),
    Round(
        parents=("017",),
        ideas=(
            Idea(
                specialist="smooth",
                domain="discount",
                hypothesis="017 with its guesses divided by their sum over all bytes, so that it may be scored",
                expected_delta="-0.05",
                edits=(passage(passages.PROBABILITY, passages.SHARE),),
            ),
        ),
    ),
    Round(
        parents=("015", "013"),
        ideas=(
            Idea(
                specialist="context",
                domain="crossover",
                hypothesis="Lines begin alike within one module above all: cross adaptation with the line context",
                expected_delta="-0.05",
            ),
        ),
    ),
    Round(
        cohort="last-mile",
        purpose="what the best still leaves on the table",
        parents=(BEST,),
        ideas=(
            Idea(
                specialist="data",
                domain="order of modules",
                hypothesis="The byte limit cuts the list: put modules about queues, threads and parsing first",
                expected_delta="-0.05",
                edits=(
                    move("modules.txt", "curriculum.txt", passages.CURRICULUM),
                    constant("MODULES", '"curriculum.txt"'),
                ),
            ),
            Idea(
                specialist="context",
                domain="order",
                hypothesis="Counting news only left budget over: six bytes of context",
                expected_delta="-0.03",
                edits=(constant("ORDER", "6"),),
            ),
        ),
    ),
    Round(
        cohort="finish",
        purpose="what the last two gains are worth together",
        parents=("020", "021"),
        ideas=(
            Idea(
                specialist="data",
                domain="crossover",
                hypothesis="The curriculum and the longer context touch different things: both",
                expected_delta="-0.03",
            ),
            Idea(
                specialist="smooth",
                domain="crossover",
                hypothesis="Both, and the discount of 016, which gained on its parent and came too late",
                expected_delta="-0.04",
                edits=(constant("DISCOUNT", "0.85"),),
            ),
        ),
    ),
)
