"""What a command is started with, and the checks beside it: of the environment before, of the result after."""

import os
import shutil
import time
from pathlib import Path

from gitlineage.run import place
from gitlineage.run.begin import Begun
from gitlineage.run.gpus import VISIBLE
from gitlineage.run.process import Command
from gitlineage.run.records import Run
from gitlineage.run.watch import Stop

RESULT = "GITLINEAGE_RESULT"
"""The variable that names the file into which a command may write its numbers, as a JSON object."""

CHECKING = "GITLINEAGE_CHECK"
"""The variable that tells a check what is checked: ``environment`` or ``result``."""

NAME = "GITLINEAGE_RUN"
"""The variable that says which trial a run goes on with; not for commands inside of it."""

_TICK = 0.05
"""Seconds between two looks at what the user wants."""

_PATIENCE = 600.0
"""Seconds that a check may take where no limit says otherwise."""

_BEFORE, _AFTER = "before:", "after:"


def environment(begun: Begun) -> dict[str, str]:
    """Return the variables of a run's command: those of whoever calls, and what is for it."""
    own = {RESULT: str(begun.files.result), **begun.run.plan.environment}
    if begun.run.gpus:
        own[VISIBLE] = begun.run.gpus
    kept = {name: value for name, value in os.environ.items() if name != NAME}
    return {"PYTHONUNBUFFERED": "1", **kept, **own}  # or a log shows nothing until the command ends


def program(run: Run) -> str:
    """
    Return the path of the program that a run's command names; empty where there is none that can be run.

    One that an isolated checkout has not, as that of a virtual environment, is the working tree's.
    """
    word = run.plan.command[0]
    if os.sep not in word:
        return shutil.which(word, path=run.plan.environment.get("PATH")) or ""
    places = (place.inside(run) / word, Path(run.plan.folder) / word)
    return next((str(path) for path in places if path.is_file() and os.access(path, os.X_OK)), "")


def check(begun: Begun, what: str, stop: Stop | None = None) -> str:
    """Run the checks of the environment or of the result, and return why one failed; empty where none did."""
    skipped, meant = (_AFTER, _BEFORE) if what == "environment" else (_BEFORE, _AFTER)
    limits = begun.run.plan.limits
    patience = (limits.eval_timeout if what == "result" else None) or limits.timeout or _PATIENCE
    for text in begun.run.plan.checks:
        if text.startswith(skipped):
            continue
        line = text.removeprefix(meant)
        files = begun.files.folder / "check"
        files.mkdir(exist_ok=True)
        try:
            with begun.files.log.open("ab") as log, open(os.devnull, "rb") as nothing:
                command = Command.start(
                    ["sh", "-c", line],
                    files=files,
                    folder=place.inside(begun.run),
                    environment={**environment(begun), CHECKING: what},
                    cookie=begun.run.cookie,
                    log=log.fileno(),
                    stdin=nothing.fileno(),
                    lease=log.fileno(),
                )
        except OSError as error:
            return f"the check of the {what} could not be run: {error}"
        ended = False
        deadline = time.monotonic() + patience
        while not (ended := command.wait(_TICK)) and time.monotonic() < deadline and not (stop and stop.interrupts):
            begun.lease.touch()
        command.kill()
        code = begun.files.number(files / "exit")
        command.close()
        (files / "exit").unlink(missing_ok=True)
        if not ended:
            return f"the check of the {what} did not end within {patience:g} s: {line}"
        if code != 0:
            return f"the check of the {what} failed with exit code {code}: {line}"
    return ""
