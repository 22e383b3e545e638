"""Where things are, for tests in any folder: the repository, the helpers of tests, the documents beside it."""

from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
ROOT = SUPPORT.parents[1]
BENCH = ROOT / "tests" / "bench"
SHARED = ROOT.parent / "shared"
