"""What typed relations cost in a store that has as many of them as snapshots: adding one, and walking over them."""

import random

from figures import Figure, cost, within
from generate import exp_id
from stores import Stores, opened
from timing import over, timed

from gitlineage import LineageStore, RelationType

BIG = 100_000
TYPES = (RelationType.DEPENDS_ON, RelationType.TESTED_BY, RelationType.IMPLEMENTS)
RUNS = 40


def relations(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure one more relation with its checks for cycles, and walks over relations against derivation alone."""
    rows = []
    for size in (size for size in sizes if size <= BIG):
        chance = random.Random(stores.seed)
        with opened(stores.copy(stores.of(size))) as store:
            fill(store, size, chance)
            pairs = [sorted(chance.sample(range(size), 2)) for _ in range(RUNS)]
            add = over(
                lambda pair: store.add_relationship(exp_id(pair[1]), exp_id(pair[0]), RelationType.COMPOSED_WITH),
                pairs,
                RUNS,
            )
            goal = within(10e-3) if size >= BIG else None
            rows.append(Figure("relations", f"add one to {size:,}", size, add, "ms", goal=goal))
            rows.append(walks(store, size, chance))
        stores.sweep()
    return rows


def fill(store: LineageStore, count: int, chance: random.Random) -> None:
    """Record so many relations, each from a snapshot to an earlier one that is not far."""
    with store.batch():
        for at in range(count):
            source = at % (count - 1) + 1
            target = max(source - chance.randint(1, 1000), 0)
            store.add_relationship(exp_id(source), exp_id(target), TYPES[at % len(TYPES)])


def walks(store: LineageStore, size: int, chance: random.Random) -> Figure:
    """Measure what a node of a walk costs, over relations and over git parents."""
    names = [exp_id(number) for number in chance.sample(range(size // 2, size), 8)]
    took = {"related": 0.0, "derived": 0.0}
    met = {"related": 0, "derived": 0}
    for name in names:
        met["related"] += len(store.get_ancestors(name, list(TYPES), 12))
        took["related"] += timed(lambda name=name: store.get_ancestors(name, list(TYPES), 12))
        met["derived"] += len(store.ancestors(name))
        took["derived"] += timed(lambda name=name: store.ancestors(name))
    each = {kind: took[kind] / max(met[kind], 1) for kind in took}
    name = f"walk over relations, a node ({met['related']:,})"
    return Figure("relations", name, size, each["related"], "us", "over git parents", each["derived"], cost())
