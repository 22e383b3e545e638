"""
Train a byte n-gram model on Python's own standard library and score it, in bits per byte, on modules held out.

Run it by itself: ``python train.py``. It reads ``modules.txt`` beside it and prints one ``name: value`` a line.
The same files give the same numbers every time on one Python version: nothing is random, nothing is timed.
"""

import math
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

# The data specialist's: what to train on.
MODULES = "modules.txt"
TRAIN_BYTES = 48_000
MODULE_BYTES = 16_000

# The context specialist's: how many bytes back to look.
ORDER = 2

# The smoothing specialist's: how much the shorter context's guess counts for.
MASS = 16.0

# What the campaign fixes: the held-out text, the budgets and the exit codes.
HELD_OUT = ("queue.py", "sched.py", "shlex.py")
HELD_OUT_BYTES = 5_000
TRAIN_BUDGET = 400_000
EVAL_BUDGET = 400_000
CHECK_EVERY = 3_000
TRAIN_OVERRUN, EVAL_OVERRUN, DISQUALIFIED = 3, 4, 5


class Model:
    """Which bytes followed which context, and how often."""

    def __init__(self) -> None:
        self.followers: dict[bytes, dict[int, int]] = {}
        self.counted = 0
        self.looked_up = 0

    def learn(self, history: bytes, byte: int) -> None:
        """Count one byte in each of its contexts."""
        for context in contexts(history):
            self.counted += 1
            seen = self.followers.setdefault(context, {})
            seen[byte] = seen.get(byte, 0) + 1
        if self.counted > TRAIN_BUDGET:
            stop(TRAIN_OVERRUN, f"train budget overrun: more than {TRAIN_BUDGET} contexts counted")

    def probability(self, history: bytes, byte: int) -> float:
        """Return how likely a byte is after a history: each context corrects the guess of the shorter one."""
        guess = 1 / 256
        for context in contexts(history):
            self.looked_up += 1
            if seen := self.followers.get(context):
                guess = blend(seen, byte, guess)
        if self.looked_up > EVAL_BUDGET:
            stop(EVAL_OVERRUN, f"eval budget overrun: more than {EVAL_BUDGET} contexts looked up")
        return guess

    def scored(self, history: bytes, byte: int) -> None:
        """Hear what a held-out byte was, once it is scored; this model makes nothing of it."""


def contexts(history: bytes) -> list[bytes]:
    """Return what a byte may depend on, the most general first."""
    return [history[len(history) - length :] for length in range(min(ORDER, len(history)) + 1)]


def blend(seen: dict[int, int], byte: int, shorter: float) -> float:
    """Return how likely a byte is in one context, given the shorter context's guess."""
    return (seen.get(byte, 0) + MASS * shorter) / (sum(seen.values()) + MASS)


def training_text() -> bytes:
    """Return the sources to learn from, cut to size."""
    names = Path(__file__).with_name(MODULES).read_text().split()
    return b"".join(source(name, MODULE_BYTES) for name in names)[:TRAIN_BYTES]


def source(name: str, limit: int) -> bytes:
    """Return the beginning of one of the standard library's sources."""
    return Path(sysconfig.get_path("stdlib"), name).read_bytes()[:limit]


def walk(text: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield each byte with the 32 bytes before it."""
    for position, byte in enumerate(text):
        yield text[max(0, position - 32) : position], byte


def evaluate(model: Model) -> float:
    """Return the bits per byte that a model needs for the held-out text."""
    text = b"".join(source(name, HELD_OUT_BYTES) for name in HELD_OUT)
    bits = 0.0
    for position, (history, byte) in enumerate(walk(text)):
        if position % CHECK_EVERY == 0:
            total = sum(model.probability(history, any_byte) for any_byte in range(256))
            if abs(total - 1) > 1e-6:
                stop(DISQUALIFIED, f"disqualified: the guesses for byte {position} add up to {total:.3f}")
        bits -= math.log2(model.probability(history, byte))
        model.scored(history, byte)
    return bits / len(text)


def stop(code: int, message: str) -> NoReturn:
    """End the run with an exit code of its own."""
    print(message, file=sys.stderr)
    raise SystemExit(code)


def main() -> None:
    """Train, score and print."""
    model = Model()
    text = training_text()
    for history, byte in walk(text):
        model.learn(history, byte)
    bits_per_byte = evaluate(model)
    print(f"train_bytes: {len(text)}")
    print(f"counted: {model.counted}")
    print(f"looked_up: {model.looked_up}")
    print(f"val_bpb: {bits_per_byte:.6f}")


if __name__ == "__main__":
    main()
