"""
By which names a repository and the environment know this program: its folder, its settings, its variables.

Whatever speaks git takes them from here, so that no module of `git` has a word of lineage in it.
"""

NAME = "gitlineage"
"""What people type to run it; it also signs what nobody else has a name for."""

FOLDER = "lineage"
"""The folder below git's own that holds what is no object and no ref: locks, marks, the index."""

INSIDE = "GITLINEAGE_INSIDE"
"""The variable that keeps our own client hooks from running for git calls of ours; a server's hook heeds it not."""

SIGN = "lineage.sign"
ALLOWED_SIGNERS = "lineage.allowedSigners"
REMOTE = "lineage.remote"
AUTO_REPACK = "lineage.autoRepack"
MAX_FILE_SIZE = "lineage.maxFileSize"
MAX_CHECKOUT_SIZE = "lineage.maxCheckoutSize"
INCLUDE = "lineage.include"

KEEP_RUNS = "lineage.keepRuns"
"""The configuration key that says how many days the files of a run stay; ``all`` keeps them for ever."""
