"""The public shapes of result tables and logs, as small cases: each is read as its `expected.json` says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from places import SHARED

from gitlineage.bridge import importing
from gitlineage.bridge.formats.found import NotTrials
from gitlineage.bridge.planning import Options
from gitlineage.errors import Unclear

CASES = SHARED / "cases"
EXPECTED: dict[str, Any] = {}
if (CASES / "expected.json").is_file():
    EXPECTED = json.loads((CASES / "expected.json").read_text())["cases"]

pytestmark = [pytest.mark.shared, pytest.mark.skipif(not EXPECTED, reason="the public cases are not here")]

ASKED = {
    "direction-unknown.tsv", "no-header.tsv", "ai-scientist-v2-journal.json", "dvc-exps",
}  # fmt: skip
"""Cases in which nobody can know what ranks: the command says what to type."""

TIES = {"placeholder-commits.tsv"}
"""Cases whose best has an equal before it: by the rule of the file the earlier one is the best."""


def made(name: str, folder: Path) -> Path:
    """Return where a case is; two are made first."""
    if name == "shinka":
        subprocess.run([sys.executable, CASES / "make_shinka.py", folder, "wal"], check=True)
        return folder
    if name == "dvc-exps":
        subprocess.run(["sh", CASES / "make_dvc_exps.sh", folder / "repo"], check=True)
        return folder / "repo"
    return CASES / name


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_case(name: str, tmp_path: Path) -> None:
    """Trials, metric, direction, best, statuses and lines that are no rows are as expected, or it is asked."""
    case = EXPECTED[name]
    path = made(name, tmp_path)
    if not case["trials"]:
        with pytest.raises(NotTrials):
            importing.plans([path], Options())
        return
    if name in ASKED:
        with pytest.raises(Unclear) as caught:
            importing.plans([path], Options())
        assert len(caught.value.problems[0].options) > 1
        return
    planned, _ = importing.plans([path], Options())
    facts = importing.facts(planned[0].plan)
    if len(planned) > 1:
        pytest.skip("several files: test_importing has how they go together")
    assert facts["trials"] == case["trials"]
    assert facts["statuses"] == case["statuses"]
    if case["metric"] and " " not in case["metric"].replace("validation mse", ""):
        assert facts["metric"] in (case["metric"], None)
    if isinstance(case["best"], dict):
        best = facts["best"]
        assert isinstance(best, dict)
        assert best["value"] == pytest.approx(case["best"]["value"], rel=1e-3)
        if name not in TIES:
            assert (best["id"], best["line"]) == (case["best"]["id"], case["best"]["line"])
        assert facts["direction"] == case["direction"].split()[0]
    blank = planned[0].plan.not_rows.get("blank", [])
    assert set(facts["lines_that_are_no_rows"]) - set(blank) == set(case["lines_that_are_no_rows"]) - set(blank)  # type: ignore[call-overload]
