"""
Every error that gitlineage raises, as one tree.

Each class carries the data a caller needs and builds its message from it, so that the command line
only prints ``str(error)``.

```
LineageError
├── NotFound (KeyError)          an id, cohort or ref that the store does not hold
├── Ambiguous                    an id with several meanings; ``candidates`` has them all
├── Invalid (ValueError)         input that breaks a rule; nothing was written
│   ├── InvalidTrial             a trial row: status, metric, exp id
│   ├── InvalidContent           a snapshot's files: path escapes, oversized files
│   ├── BadRows                  an import with bad rows; ``rows`` lists line and reason
│   ├── WouldLose                files that are recorded nowhere would be replaced; ``files`` names them all
│   ├── Unclear                  an import that needs a word from the user first; ``problems`` has them
│   ├── TaskInUse                another task that recorded trials would rank otherwise by
│   ├── BadFiles                 an import with bad files; ``files`` lists name and reason
│   ├── BadBundle                a bundle that is damaged, foreign or incomplete
│   └── BadConfig                a coding agent's file that cannot be edited safely
├── Duplicate                    an exp id that is taken by a different row
├── Cycle                        a relation whose target goes back to its source already
├── CohortMismatch               a member whose parents are not its cohort's base
├── RepositoryError              the repository cannot be used as asked
│   ├── MissingObject            an object that is not in the repository; ``oid`` says which
│   ├── UnsupportedRepository    e.g. an object format that libgit2 cannot read
│   ├── StorageError             the disk: full, read-only, permission
│   └── Locked                   another program holds a lock for longer than this one waits
├── TooMuch                      something from elsewhere that is over this program's budget; ``limit`` says which
├── Incomplete                   a shallow or partial clone lacks a part of the lineage; ``missing`` says which
├── HookTaken                    a user's own git hook is where ours would go
├── InThePast                    something to be recorded in a store that shows a past moment
├── BisectFailed                 a search for the first bad snapshot found none
├── Busy                         a run that another process supervises
├── AlreadyTried                 a run of what was tried before; ``trial`` names who tried it
├── Conflict                     the writer's ref moved under us and retries ran out
├── CorruptEvent                 a note line that is not an event
├── RemoteError                  a remote could not be reached, or refused; nothing here was changed
├── SigningError                 a signature that cannot be made or checked: key, program, configuration
├── DrawingFailed                a diagram could not be drawn
└── GitFailed                    the git program ended with an error
```
"""

from collections.abc import Sequence

from gitlineage.asking import Problem
from gitlineage.text import to_type


class LineageError(Exception):
    """Root of the tree: catch this one to catch all of ours."""


class NotFound(LineageError, KeyError):
    """
    Nothing in the store answers to this name.

    Args:
        kind: what was looked for, e.g. ``"trial"`` or ``"cohort"``.
        name: the text that was given.
        nearest: names that come close, best first.
        unrecorded: whether it names a commit that only git knows.
    """

    def __init__(self, kind: str, name: str, nearest: Sequence[str] = (), *, unrecorded: bool = False) -> None:
        self.kind = kind
        self.name = name
        self.nearest = tuple(nearest)
        self.unrecorded = unrecorded
        listing = "gitlineage cohort list" if kind == "cohort" else "gitlineage log"
        hint = f"; nearest: {', '.join(self.nearest)}" if self.nearest else f"; `{listing}` lists what there is"
        if kind == "campaign":
            command = to_type("gitlineage", "--campaign", name, "init")
            hint = f"; there is {', '.join(self.nearest)}; `{command}` begins one"
        if unrecorded:
            command = to_type("gitlineage", "record", name, "--status", "STATUS")
            hint = f"; it is a commit that is not recorded, so `{command}` comes first"
        what = f"no {kind} {name!r} in this store" if name != "best" else "there is no best yet: no result was kept"
        super().__init__(f"{what}{hint}")

    def __str__(self) -> str:
        return str(self.args[0])


class Ambiguous(LineageError):
    """
    A name stands for several things.

    Args:
        name: the text that was given.
        candidates: names that each stand for exactly one of them.
    """

    def __init__(self, name: str, candidates: Sequence[str]) -> None:
        self.name = name
        self.candidates = tuple(candidates)
        super().__init__(f"{name!r} is ambiguous: it could be {', '.join(self.candidates)}; use one of these")


class Invalid(LineageError, ValueError):
    """Input that breaks a rule; nothing was written."""


class InvalidTrial(Invalid):
    """
    A trial row that breaks a rule.

    Args:
        field: the column at fault.
        value: what it held.
        reason: the rule, as a half sentence.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        self.field = field
        self.value = value
        self.reason = reason
        shown = repr(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(f"{field} {shown}: {reason}")


class InvalidContent(Invalid):
    """
    Files that cannot become a snapshot.

    Args:
        path: the path at fault, as it was given.
        reason: the rule, as a half sentence.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path!r} {reason}")


class WouldLose(Invalid):
    """
    Files that are recorded nowhere would be lost; nothing was changed.

    Args:
        files: their paths.
        told: the sentence that says so and what to type.
    """

    def __init__(self, files: Sequence[str], told: str) -> None:
        self.files = tuple(files)
        super().__init__(told)


class BadRows(Invalid):
    """
    An import that was refused as a whole.

    Args:
        source: the file's name.
        rows: ``(line number, reason)`` for each bad row, in file order.
        hint: what to do about it.
    """

    def __init__(self, source: str, rows: Sequence[tuple[int, str]], hint: str = "") -> None:
        self.source = source
        self.rows = tuple(rows)
        self.hint = hint
        listing = "\n".join(f"  line {line}: {reason}" for line, reason in self.rows)
        many = "1 bad row" if len(self.rows) == 1 else f"{len(self.rows)} bad rows"
        tail = f"; {hint}" if hint else ""
        super().__init__(f"{source}: {many}, nothing was imported{tail}\n{listing}")


class Unclear(Invalid):
    """
    An import that was refused because something has to be said first that nobody may guess.

    Args:
        source: the file's name.
        taken_for: what the file was taken for.
        problems: what has to be said, one for each kind.
        told: what else there is to know about the file.
    """

    def __init__(self, source: str, taken_for: str, problems: Sequence[Problem], told: Sequence[str] = ()) -> None:
        self.source = source
        self.taken_for = taken_for
        self.problems = tuple(problems)
        lines = []
        for each in self.problems:
            lines.append(f"  {each.kind}: {each.text}")
            for at, said in enumerate(each.options):
                lines.append(f"    {'or ' if at else ''}{to_type('gitlineage', 'import', source, *said)}")
        if len(self.problems) > 1 and all(each.options for each in self.problems):
            first = [word for each in self.problems for word in each.options[0]]
            lines.append(f"  all of it at once, for example: {to_type('gitlineage', 'import', source, *first)}")
        lines += [f"  note: {sentence}" for sentence in told]
        many = "one thing has" if len(self.problems) == 1 else f"{len(self.problems)} things have"
        listing = "\n".join(lines)
        super().__init__(f"{source} ({taken_for}): {many} to be said first, nothing was imported\n{listing}")


class TaskInUse(Invalid):
    """
    Another task, by which trials that are recorded would rank otherwise or not at all.

    Args:
        change: what it would change, in words.
    """

    def __init__(self, change: str) -> None:
        self.change = change
        super().__init__(f"{change}; `gitlineage init … --force` does it all the same, as set_task(force=True) does")


class BadFiles(Invalid):
    """
    A folder that was refused as a whole.

    Args:
        source: the folder.
        files: ``(file name, reason)`` for each fault, by file name.
    """

    def __init__(self, source: str, files: Sequence[tuple[str, str]]) -> None:
        self.source = source
        self.files = tuple(files)
        listing = "\n".join(f"  {name}: {reason}" for name, reason in self.files)
        many = "1 fault" if len(self.files) == 1 else f"{len(self.files)} faults"
        super().__init__(f"{source}: {many}, nothing was imported\n{listing}")


class BadBundle(Invalid):
    """
    A bundle that was refused as a whole.

    Args:
        file: its name.
        reason: what is wrong with it.
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}; nothing was taken")


class BadConfig(Invalid):
    """
    A coding agent's configuration file that cannot be edited safely; that file was left as it is.

    Args:
        file: its name.
        reason: what is wrong with it, as a half sentence.
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file} {reason}; nothing was changed there")


class Duplicate(LineageError):
    """
    An exp id that already names a different row.

    Args:
        exp_id: the id.
        reason: where it is taken and how to go on.
    """

    def __init__(self, exp_id: str, reason: str) -> None:
        self.exp_id = exp_id
        super().__init__(f"exp id {exp_id!r} {reason}")


class Cycle(LineageError):
    """
    A relation that would make something its own ancestor.

    Args:
        source: the name of what it would lead from.
        target: the name of what it would lead to.
        relationship_type: its type.
    """

    def __init__(self, source: str, target: str, relationship_type: str) -> None:
        self.source = source
        self.target = target
        self.relationship_type = relationship_type
        why = (
            "a snapshot cannot be related to itself" if source == target else f"{target} goes back to {source} already"
        )
        super().__init__(f"{source} {relationship_type} {target} would create a cycle: {why}")


class CohortMismatch(LineageError):
    """
    A member whose parents are not its cohort's base.

    Args:
        cohort: the cohort's name.
        base: the base's names.
        parents: the member's parents' names.
    """

    def __init__(self, cohort: str, base: Sequence[str], parents: Sequence[str]) -> None:
        self.cohort = cohort
        self.base = tuple(base)
        self.parents = tuple(parents)
        super().__init__(
            f"cohort {cohort!r} was opened on {_names(base)}, not on {_names(parents)}; "
            "give the member those parents, or open a cohort that allows mixed parents"
        )


class RepositoryError(LineageError):
    """The repository cannot be used as asked."""


class MissingObject(RepositoryError):
    """
    An object that is not in the repository.

    Args:
        oid: which one.
    """

    def __init__(self, oid: str) -> None:
        self.oid = oid
        super().__init__(f"cannot read {oid}: it is not in this repository")


class UnsupportedRepository(RepositoryError):
    """A repository of a kind that gitlineage does not read."""


class StorageError(RepositoryError):
    """The disk refused: full, read-only, or no permission."""


class Locked(RepositoryError):
    """
    Another program holds a lock for longer than this one waits; nothing was recorded.

    Args:
        path: the lock file.
        holder: which process holds it, in words; empty where that is not known.
        seconds: how long it was waited for.
        advice: what to do, where it is not a lock file of git's.
    """

    def __init__(self, path: str, holder: str, seconds: float, advice: str = "") -> None:
        self.path = path
        self.holder = holder
        self.seconds = seconds
        advice = advice or remedy(path, holder)
        super().__init__(f"{path} stayed locked for {seconds:g} seconds; nothing was recorded; {advice}")


class TooMuch(LineageError):
    """
    Something from elsewhere that is over this program's budget; it is not read further.

    Args:
        what: what it is, as a half sentence's subject.
        limit: how much is read.
        unit: of what, e.g. ``bytes``.
    """

    def __init__(self, what: str, limit: float, unit: str) -> None:
        self.what = what
        self.limit = limit
        self.unit = unit
        super().__init__(f"{what} is over the limit of {limit:,.0f} {unit}; it is not read further")


class Incomplete(LineageError):
    """
    A clone that lacks a part of the lineage, so that answers would come from less than everything.

    ``LineageStore(root, incomplete=True)`` answers from what is here.

    Args:
        missing: the first of the objects that are not here.
        count: how many there are.
        remote: the remote to fetch them from.
        shallow: whether they are commits beyond the end of a shallow clone.
        said: why a partial clone's remote did not give them.
    """

    def __init__(self, missing: Sequence[str], count: int, remote: str, *, shallow: bool, said: str = "") -> None:
        self.missing = tuple(missing)
        self.count = count
        self.remote = remote
        self.shallow = shallow
        self.said = said
        many = "1 object" if count == 1 else f"{count:,} objects"
        if shallow:
            command = to_type("git", "fetch", "--unshallow", remote)
            told = f"this clone is shallow and lacks {many} of the lineage; `{command}` brings them"
        else:
            command = to_type("git", "fetch", remote)
            told = (
                f"this clone is partial and lacks {many} of the lineage, which {remote} did not give "
                f"({said or 'it was not asked'}); see `{command}`, the next command asks for them again"
            )
        super().__init__(told)


class HookTaken(LineageError):
    """
    A git hook that is not ours.

    Args:
        hook: its name.
        path: where it is.
        aside: the place it would be moved to, where something is already.
        removing: whether it was to be removed.
    """

    def __init__(self, hook: str, path: str, aside: str | None = None, *, removing: bool = False) -> None:
        self.hook = hook
        self.path = path
        self.aside = aside
        if removing:
            said = f"{path} is not a hook of gitlineage; nothing was removed, delete it yourself if you mean it"
        elif aside is not None:
            said = f"{path} is a hook of your own, and {aside} is there already; move one of them out of the way"
        else:
            said = (
                f"{path} is a hook of your own; --chain keeps it as {hook}.user and calls it first, --force puts it "
                f"aside as {hook}.replaced"
            )
        super().__init__(said)


class InThePast(LineageError):
    """
    Something was to be recorded in a store that shows a past moment.

    Args:
        moment: which one, in words.
    """

    def __init__(self, moment: str) -> None:
        self.moment = moment
        super().__init__(f"this is the store as of {moment}, to be read only; do that in the store as it is now")


class BisectFailed(LineageError):
    """
    A search for the first bad snapshot found none.

    Args:
        reason: why, and what to do.
        candidates: the commits among which it is, where that is known.
    """

    def __init__(self, reason: str, candidates: Sequence[str] = ()) -> None:
        self.reason = reason
        self.candidates = tuple(candidates)
        super().__init__(reason)


class Busy(LineageError):
    """
    A run that another process supervises.

    Args:
        run: its id.
        reason: who does, in words.
    """

    def __init__(self, run: str, reason: str = "another process supervises it") -> None:
        self.run = run
        self.reason = reason
        super().__init__(f"{run} is going on: {reason}; `gitlineage runs wait {run}` waits for its end")


class AlreadyTried(LineageError):
    """
    A run of content and a command that were tried before; nothing was recorded.

    Args:
        trial: the newest trial that tried them.
        result: what came of it, in words.
    """

    def __init__(self, trial: str, result: str) -> None:
        self.trial = trial
        self.result = result
        super().__init__(
            f"{trial} tried this content with this command: {result}; change something, or --if-tried repeat makes a "
            "replicate"
        )


class Conflict(LineageError):
    """
    A ref moved under a write, again and again.

    Args:
        ref: the ref's full name.
    """

    def __init__(self, ref: str) -> None:
        self.ref = ref
        super().__init__(f"{ref} keeps moving under this write; another program writes to it, try again")


class CorruptEvent(LineageError):
    """
    A note line that is not an event of ours.

    Args:
        reason: what is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SigningError(LineageError):
    """A signature cannot be made or checked: the key, the program or the configuration does not work."""


class DrawingFailed(LineageError):
    """
    A diagram could not be drawn as a picture.

    Args:
        reason: what is missing or went wrong.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}; draw a smaller part, or take --format dot or mermaid")


class GitFailed(LineageError):
    """
    The git program ended with an error.

    Args:
        command: its arguments, without the program's name.
        status: its exit status.
        message: what it said on standard error.
        output: what it had printed by then.
    """

    def __init__(self, command: Sequence[str], status: int, message: str, output: bytes = b"") -> None:
        self.command = tuple(command)
        self.status = status
        self.message = message
        self.output = output
        super().__init__(f"git {_verb(self.command)} failed ({status}): {message.strip() or 'no message'}")


class RemoteError(LineageError):
    """
    A remote could not be reached, or refused; the store here is as it was, and trying again is safe.

    Args:
        remote: its name or address, without a password.
        message: git's own last words.
        hint: what to do, as a half sentence.
    """

    def __init__(self, remote: str, message: str, hint: str) -> None:
        self.remote = remote
        self.message = message
        self.hint = hint
        super().__init__(f"{remote}: {message}; {hint}")


def _verb(command: Sequence[str]) -> str:
    """Return which of git's commands was run, past the options that stand before it."""
    words = iter(command)
    for word in words:
        if word in ("-c", "-C", "--git-dir"):
            next(words, None)
        elif not word.startswith("-"):
            return word
    return "?"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "no parents"


def remedy(path: str, holder: str) -> str:
    """Return what to do about one of git's lock files, given who holds it, in words, where that is known."""
    if holder:
        return f"{holder} holds it: end that process, or where it is gone already, remove the file"
    return f"if no git is at work here, a killed one left it: rm {path}"
