"""
By which names a repository and the environment know this program: its folder, its variables, its configuration keys.

Whatever speaks git takes them from here, so that no module of `git` has a word of lineage in it. A new key of git's
configuration begins here; the docs say what it does (a test finds each of them there).
"""

NAME = "gitlineage"
"""What people type to run it; it also signs what nobody else has a name for."""

FOLDER = "lineage"
"""The folder below git's own that holds what is no object and no ref: locks, marks, the index."""

INSIDE = "GITLINEAGE_INSIDE"
"""The variable that keeps our own client hooks from running for git calls of ours; a server's hook heeds it not."""

# -- who records, and whose word counts ------------------------------------------------------------------------

CAMPAIGN = "lineage.campaign"
WRITER = "lineage.writer"
ID_PREFIX = "lineage.idPrefix"
SIGN = "lineage.sign"
ALLOWED_SIGNERS = "lineage.allowedSigners"
TRUST = "lineage.trust"
TASK_WRITERS = "lineage.taskWriters"

# -- what goes into a snapshot, and what a checkout may bring ---------------------------------------------------

INCLUDE = "lineage.include"
MAX_FILE_SIZE = "lineage.maxFileSize"
MAX_CHECKOUT_SIZE = "lineage.maxCheckoutSize"

# -- how it is written ------------------------------------------------------------------------------------------

AUTO_REPACK = "lineage.autoRepack"
FSYNC = "lineage.fsync"
LOCK_TIMEOUT = "lineage.lockTimeout"

# -- other machines and other programs --------------------------------------------------------------------------

REMOTE = "lineage.remote"
INCOMPLETE = "lineage.incomplete"
"""Whether every command answers from what is here where the lineage is not whole."""
ALLOW_DELETE = "lineage.allowDelete"
BRANCH = "lineage.branch"
PROGRAM = "lineage.program"
"""Where the hooks find the program, for those who run git without it on their path."""
IMPORT_MAP = "lineage.importMap"
"""What columns mean, ``COLUMN=FIELD`` each, so that ``--watch`` need not be told."""

# -- runs -------------------------------------------------------------------------------------------------------

RUN = "lineage.run"
GPUS = "lineage.gpus"
ARTIFACTS = "lineage.artifacts"
KEEP_RUNS = "lineage.keepRuns"
"""How many days the files of a run stay; ``all`` keeps them for ever."""
