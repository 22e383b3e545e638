"""Record three trials, ask what came from what, and print the prompt for the next agent."""

import sys
import tempfile
from pathlib import Path

from gitlineage import LineageStore, Task, Trial

root = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
store = LineageStore(root, task=Task(score_field="val_bpb", lower_is_better=True))

seed = store.commit(
    {"train.py": b"lr = 0.01\n"},
    trial=Trial(specialist="baseline", status="baseline", val_bpb=1.081, hypothesis="The seed recipe"),
)
better = store.commit(
    {"train.py": b"lr = 0.02\n"},
    parents=[seed],
    trial=Trial(specialist="opt", status="keep", val_bpb=1.077, hypothesis="Twice the learning rate"),
)
tried = store.commit({"train.py": b"lr = 0.08\n"}, parents=[better], trial=Trial(specialist="opt", hypothesis="Again"))
store.record(tried, Trial(status="crash", notes="loss went to nan in step 40"))  # failures stay, with their code

print("best:    ", store.best().exp_id)
print("chain:   ", " -> ".join(trial.exp_id for trial in store.chain_to(better.exp_id)))
print("children:", [child.exp_id for child in store.children(better)])
print(store.recipe_edit("best").diff())
print(store.render_prompt("opt", session_timestamp="2026-01-05T09:00:00Z").rendered_prompt)
