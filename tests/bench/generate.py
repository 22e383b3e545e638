"""
Make the campaign that every contestant records: a DAG of trials with texts and files; not how anybody stores it.

The same seed gives the same nodes, and a longer campaign begins with the shorter one. Only the standard library is
used here, because the peers' own environments read this file too.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

SEED = 20260101
COHORT = 8
TWO_PARENTS = 0.1
FORKS = 0.0625
"""The share of cohorts that are forked from one snapshot; in the others every member has a parent of its own."""

WINDOW = 100
"""How many cohorts back a parent may be: a population of eight hundred."""

HYPOTHESIS = 150
NOTES = 300
COLUMNS = (
    *("exp_id", "timestamp", "specialist", "parent_exp", "baseline_exp", "domain", "hypothesis", "expected_delta"),
    *("status", "core_metric", "val_bpb", "delta_vs_best", "train_s", "total_s", "job_name", "snapshot_path", "notes"),
)

_STATUSES = {
    "keep": 0.03,
    "discard": 0.83,
    "crash": 0.07,
    "size_blocked": 0.02,
    "eval_budget_overrun": 0.02,
    "train_budget_overrun": 0.01,
    "preflight_crash": 0.01,
    "harness_abort": 0.005,
    "disqualified": 0.005,
}
_SCORED = ("keep", "discard", "disqualified")
_SPECIALISTS = ("arch", "data", "eval", "init", "loss", "opt", "reg", "sched")
_START = datetime(2024, 1, 1, tzinfo=UTC)
"""Nothing was recorded before it happened: a million trials end in the past, too."""
_TEXT = (
    "lower raise the learning rate warmup fraction and cosine decay of attention heads with rotary embeddings "
    "instead since last three trials stalled early in training while validation loss kept falling slowly muon "
    "momentum beta weight gradient clipping at 1.0 for 0.02 0.95 512 1024 tokens per batch wider mlp narrower "
    "residual stream tied untied output layer norm scale dropout none label smoothing z-loss seed variance within "
    "noise throughput dropped by percent memory peak grew kernel fused compile step time improved but bits per byte "
    "did not move so next try half depth double width same parameter budget sliding window every second global "
    "softcap logits init std smaller larger schedule longer cooldown linear to zero value embeddings gate skip "
    "connection from first block"
)
_WORDS = _TEXT.split()
_PREPARE = "".join(
    f"SHARD_{n:02d} = 'tokens/{n:02d}.bin'  # {_WORDS[n * 3 % len(_WORDS)]}\n" for n in range(24)
).encode()


class Node(NamedTuple):
    """
    One trial to record.

    Args:
        number: its place in the campaign, from 0.
        parents: the numbers of what it was derived from, the primary one first.
        cohort: the name of the batch it was generated in; empty for the seed.
        base: the numbers of what that batch as a whole was derived from; empty where its members differ.
        row: its cells by column, `COLUMNS` in order; numbers are numbers.
        files: its recipe; against its parent only ``train.py`` differs.
    """

    number: int
    parents: tuple[int, ...]
    cohort: str
    base: tuple[int, ...]
    row: dict[str, Any]
    files: dict[str, bytes]


def exp_id(number: int) -> str:
    """Return the exp id of a node."""
    return f"{number:03d}"


def nodes(size: int, seed: int = SEED) -> Iterator[Node]:
    """
    Return a campaign, parents first.

    The first node is the seed recipe. After it come cohorts of eight, some forked from one snapshot, most a generation
    whose members are derived from different trials of the last eight hundred; every tenth node takes something from a
    second one. Keeps get slowly better, and nothing else is as good.
    """
    rng = random.Random(seed)
    names, weights = list(_STATUSES), list(_STATUSES.values())
    best = 1.2
    base: tuple[int, ...] = ()
    for number in range(size):
        cohort, place = divmod(number - 1, COHORT)
        population = range(max(1 + (cohort - WINDOW) * COHORT, 0), 1 + cohort * COHORT)
        if number and place == 0:
            base = (rng.choice(population),) if rng.random() < FORKS else ()
        parents: tuple[int, ...] = ()
        if number:
            parents = base or (rng.choice(population),)
            if rng.random() < TWO_PARENTS:
                parents = tuple(dict.fromkeys((*parents, rng.choice(population))))
        status = rng.choices(names, weights)[0] if number else "baseline"
        scored = status in _SCORED or not number
        score = best + rng.random() * 0.05 + 1e-5
        if status == "keep":
            score = best * (1 - 1e-4 * rng.random())
        score = round(score, 9) if number else best
        delta = round(score - best, 9)
        best = score if status == "keep" else best
        seconds = round(280 + rng.random() * 40, 1)
        row = {
            "exp_id": exp_id(number),
            "timestamp": (_START + timedelta(seconds=61 * number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "specialist": rng.choice(_SPECIALISTS) if number else "",
            "parent_exp": exp_id(parents[0]) if parents else "",
            "baseline_exp": exp_id(0) if number else "",
            "domain": "pretraining",
            "hypothesis": _text(rng, HYPOTHESIS),
            "expected_delta": f"-0.00{rng.randrange(1, 10)}",
            "status": status,
            "core_metric": score if scored else None,
            "val_bpb": score if scored else None,
            "delta_vs_best": delta if scored and number else None,
            "train_s": seconds if scored else None,
            "total_s": round(seconds + 35.5, 1),
            "job_name": f"job-{number:07d}",
            "snapshot_path": "",
            "notes": _text(rng, NOTES),
        }
        files = {"prepare.py": _PREPARE, "train.py": _recipe(rng, number)}
        yield Node(number, parents, f"c{cohort:05d}" if number else "", base, row, files)


def _text(rng: random.Random, length: int) -> str:
    """Return words of exactly so many characters."""
    words = " ".join(rng.choices(_WORDS, k=length // 4))
    while len(words) < length:
        words += " " + rng.choice(_WORDS)
    return words[: length - 1].rstrip().ljust(length - 1, "s") + "."


def _recipe(rng: random.Random, number: int) -> bytes:
    """Return the small file that a trial edits."""
    lines = [f"# trial {number}", f"LR = {rng.random() * 0.05:.6f}", f"WARMUP = {rng.random() * 0.2:.4f}"]
    lines += [
        f"DEPTH = {rng.randrange(4, 24)}",
        f"HEADS = {rng.choice((4, 6, 8, 12, 16))}",
        f"SEED = {rng.randrange(10**6)}",
    ]
    return ("\n".join(lines) + "\n").encode()
