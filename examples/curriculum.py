"""A curriculum: fork one parent into a batch of three, derive a child from two of them, ask, and hand it over."""

import subprocess
import sys
import tempfile
from pathlib import Path

from gitlineage import LineageStore
from gitlineage.bridge.openrange import export_openrange, import_openrange

root = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
store = LineageStore(root / "curriculum")


def world(app: str, task: str = "Read the flag.") -> dict[str, bytes]:
    """Return the files of a small environment."""
    return {"app.py": app.encode(), "tasks/flag.md": f"{task}\n".encode()}


LOGIN = "def login(name):\n    return db.run(f'select * from users where name = {name}')\n"
SAFE_LOGIN = "def login(name):\n    return db.run('select * from users where name = ?', name)\n"
FETCH = "\n\ndef fetch(url):\n    return http.get(url)\n"

# -- one parent, a batch of three variants, a child of two of them -----------------------------------------------------
parent = store.commit(world(LOGIN), message="A shop with a login")
store.open_cohort("step-1", base=[parent], difficulty=1, note="one change each")
patched = store.commit(world(SAFE_LOGIN), [parent], cohort="step-1", message="Patch the sql injection")
ssrf = store.commit(world(LOGIN + FETCH), [parent], cohort="step-1", message="Add an ssrf")
hard = store.commit(world(LOGIN, "Read the flag twice."), [parent], cohort="step-1", message="Ask for more")
child = store.commit(
    world(SAFE_LOGIN + FETCH), [ssrf, patched], roles={ssrf.oid: "base", patched.oid: "mate"}, message="Ssrf, no sqli"
)

# -- each question is one call, and one command ------------------------------------------------------------------------
print("siblings:", [each.subject for each in store.children(parent)])
print("batch:   ", [store.snapshot(oid).subject for oid in store.cohort("step-1").members])
print("parents: ", [(each.subject, child.roles[each.oid]) for each in store.parents(child)])
print("all of it:", [(node.entry.subject, node.depth) for node in store.ancestors(child)])
print(store.recipe_edit(child, parent=0).diff())
print(store.recipe_edit(child, parent=1).diff())


def lineage(*words: str) -> None:
    """Run a command of gitlineage in the store and print both."""
    print("$ gitlineage", " ".join(words), flush=True)
    subprocess.run([sys.executable, "-m", "gitlineage", "-C", store.root, *words], check=True)


lineage("children", parent.oid)
lineage("cohort", "show", "step-1")
lineage("parents", child.oid)
lineage("diff", child.oid, "--parent", "1")
lineage("diff", child.oid, "--parent", "2")

# -- and all of it goes to OpenRange's own files and back --------------------------------------------------------------
export_openrange(store, root / "snapshots")
copy = LineageStore(root / "copy")
import_openrange(copy, root / "snapshots")
there = copy.snapshot(child.oid[:16])
print("over there:", [(each.subject, there.roles[each.oid]) for each in copy.parents(there)])
print("same content:", there.content_id == child.content_id)
