"""Fork one parent into a cohort of three variants, then derive a child from two of them."""

import sys
import tempfile
from pathlib import Path

from gitlineage import LineageStore, Trial

root = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
store = LineageStore(root, lower_is_better=False)

world = store.commit(
    {"world.json": b'{"hosts": 3}\n', "task.md": b"Find the flag.\n"},
    trial=Trial(status="baseline", core_metric=0.20, hypothesis="Three hosts, nothing hardened"),
)
store.open_cohort("generation-1", base=[world], difficulty=1, note="one change each")
variants = {
    "patch sql injection": (b'{"hosts": 3, "sqli": false}\n', 0.31, "keep"),
    "add an ssrf": (b'{"hosts": 3, "ssrf": true}\n', 0.27, "discard"),
    "harden the accounts": (b'{"hosts": 3, "accounts": "hard"}\n', 0.35, "keep"),
}
for hypothesis, (content, score, status) in variants.items():
    store.commit(
        {"world.json": content, "task.md": b"Find the flag.\n"},
        parents=[world],
        cohort="generation-1",
        trial=Trial(specialist="curriculum", status=status, core_metric=score, hypothesis=hypothesis),
    )
child = store.commit(
    {"world.json": b'{"hosts": 3, "sqli": false, "accounts": "hard"}\n', "task.md": b"Find the flag.\n"},
    parents=["003", "001"],
    roles={"003": "base", "001": "mate"},
    trial=Trial(specialist="curriculum", status="keep", core_metric=0.41, hypothesis="both hardenings at once"),
)

print("batch:   ", [store.snapshot(oid).exp_id for oid in store.cohort("generation-1").members])
print("parents: ", [(parent.exp_id, child.roles[parent.oid]) for parent in store.parents(child)])
print("from 000:", [(node.entry.exp_id, node.depth) for node in store.descendants(world)])
print("split at:", store.common_ancestor("001", "003").exp_id)
for parent in (0, 1):
    print(store.recipe_edit(child, parent).diff())
