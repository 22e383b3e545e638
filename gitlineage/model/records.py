"""
The records that gitlineage hands out: snapshots, cohorts, tasks and views of trials.

Everything is frozen and grows only by fields with defaults.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NewType

import msgspec

from gitlineage import markup
from gitlineage.model.namespace import ORDINARY
from gitlineage.model.trial import Trial

CommitOid = NewType("CommitOid", str)
"""The id of a snapshot: how it came about (content, parents, message, dates)."""

TreeOid = NewType("TreeOid", str)
"""The id of a snapshot's content: what it is."""

"""The name of one clone that records, and of its ref ``refs/notes/lineage/<writer>``."""

ROLES = ("base", "mate", "inspiration", "contrast")
"""What a parent was to its child; the trailer ``Lineage-Parent`` carries it."""

_SHORT = 12
"""Digits of an oid that records show of themselves."""

GAVE_NOTHING = ("inspiration", "contrast")
"""Roles that a snapshot may have without being a parent."""

_LABELS = {"val_bpb": "bpb", "core_metric": "core", "train_s": "time"}


class Order(msgspec.Struct, frozen=True, order=True, gc=False):
    """
    An event's place in the history of all writers: the Lamport clock, then the writer's name.

    Design 3: every reader folds events in this order, so all agree on it.
    """

    clock: int
    writer: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a campaign optimises; recorded in the store, so that a clone ranks and renders alike.

    Args:
        score_field: the column that ranks trials.
        lower_is_better: the direction in which that column improves.
        label: the column's short name in prompts; by default ``bpb`` for ``val_bpb``, ``core`` for
            ``core_metric``, ``time`` for ``train_s``, else the column's own name (semantics 9).
        epsilon: a change below this, in the score's units, counts as noise in the saturation signal
            (semantics 49).
        assumed: whether nobody said the direction and no row has shown it yet: an import whose rows do settles it.
    """

    score_field: str = "core_metric"
    lower_is_better: bool = True
    label: str = ""
    epsilon: float = 0.0005
    assumed: Literal[True] | msgspec.UnsetType = msgspec.UNSET

    @property
    def short(self) -> str:
        """The score's short name."""
        return self.label or _LABELS.get(self.score_field, self.score_field)

    def same(self, other: "Task") -> bool:
        """Whether another task says the same; a label that is left out is its default."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name in ("score_field", "lower_is_better", "short", "epsilon", "assumed")
        )

    def score(self, trial: Trial) -> float | None:
        """Return a trial's score, or ``None`` where the cell is empty or no number."""
        return trial.number(self.score_field)

    def better(self, new: float, old: float) -> bool:
        """Whether one score strictly beats another."""
        return new < old if self.lower_is_better else new > old


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A recorded commit: its content, what it was derived from and the trials on it.

    Args:
        oid: the commit.
        tree: the commit's tree; equal content has an equal tree.
        parents: what it was derived from in order, the first one primary: git parents, unless others were said since.
        roles: what a parent was to this snapshot, by parent oid, where known.
        inspirations: snapshots that are named in its trailers and gave no content: no git parents.
        cohort: the name of the cohort it is a member of.
        subject: the commit message's first line.
        author: the commit's author, as ``Name <mail>``.
        time: the commit's date in UTC, ISO 8601.
        writer: who recorded it first; empty for a commit that nobody recorded.
        trials: rows on it, in recording order; a trial that was not run yet has no status.
        name: what it is called in the store that it was imported from; empty where it was recorded here.
        stub: whether that store only named it, so that its content is not known.
    """

    oid: CommitOid
    tree: TreeOid
    parents: tuple[CommitOid, ...] = ()
    roles: Mapping[str, str] = {}
    inspirations: tuple[CommitOid, ...] = ()
    cohort: str | None = None
    subject: str = ""
    author: str = ""
    time: str = ""
    writer: str = ""
    trials: tuple[Trial, ...] = ()
    name: str = ""
    stub: bool = False

    def __hash__(self) -> int:
        return hash(self.oid)

    def __repr__(self) -> str:
        came = f" from {', '.join(oid[:_SHORT] for oid in self.parents)}" if self.parents else ""
        return f"Snapshot({' '.join(filter(None, [self.oid[:_SHORT], self.exp_id]))}{came} {self.subject[:60]!r})"

    def _repr_html_(self) -> str:
        parents = ", ".join(" ".join(filter(None, [oid[:_SHORT], self.roles.get(oid)])) for oid in self.parents)
        named = [
            ("trials", ", ".join(f"{trial.exp_id} {trial.status or 'pending'}" for trial in self.trials)),
            ("subject", self.subject),
            ("parents", parents),
            ("inspired by", ", ".join(oid[:_SHORT] for oid in self.inspirations)),
            ("cohort", self.cohort or ""),
            ("content", self.tree),
            ("author", self.author),
            ("time", self.time),
            ("writer", self.writer),
        ]
        return markup.facts(named, f"snapshot {self.oid}")

    @property
    def content_id(self) -> TreeOid:
        """The tree's oid: equal for snapshots with equal content (semantics 2)."""
        return self.tree

    @property
    def trial(self) -> Trial | None:
        """The first trial on this snapshot."""
        return self.trials[0] if self.trials else None

    @property
    def exp_id(self) -> str | None:
        """The exp id of the first trial on this snapshot."""
        return self.trials[0].exp_id if self.trials else None

    @property
    def recorded(self) -> bool:
        """Whether the store holds events on this commit; ordinary commits are no snapshots."""
        return bool(self.writer)


class Reparenting(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was said about the parents of a snapshot after it was recorded.

    Args:
        parents: what it was derived from in truth, the primary one first.
        roles: what these were, by oid, where known; one that is no parent gave no content.
        reason: why it was said.
        actor: who or what said so.
        at: when, UTC, ISO 8601.
        writer: whose ref holds it.
        clock: its place in the history, with the writer.
        followed: whether it would close no cycle with what was recorded before it; the last that is followed holds.
    """

    parents: tuple[CommitOid, ...] = ()
    roles: Mapping[str, str] = {}
    reason: str = ""
    actor: str = ""
    at: str = ""
    writer: str = ""
    clock: int = 0
    followed: bool = True

    def __hash__(self) -> int:
        return hash((self.clock, self.writer))


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where an imported snapshot came from.

    Args:
        oid: its commit.
        name: what it is called there.
        source: which kind of store, and which version of its format.
        document: the oid of the blob with what that store says about it.
        file: the document's file name there.
        stub: whether that store only named it.
    """

    oid: CommitOid
    name: str
    source: str
    document: str
    file: str = ""
    stub: bool = False


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """
    A batch that was generated from one parent state (semantics 4).

    Args:
        name: its name; ``refs/lineage/cohorts/<name>`` points at its commit.
        oid: its commit, whose parents are the base.
        base: the snapshots it was generated from, in order.
        metadata: what was said when it was opened; any JSON values.
        allow_mixed: whether members may have other parents than the base.
        members: its snapshots in recording order.
        created_at: when it was opened, UTC, ISO 8601.
        writer: who opened it.
    """

    name: str
    oid: CommitOid
    base: tuple[CommitOid, ...] = ()
    metadata: Mapping[str, Any] = {}
    allow_mixed: bool = False
    members: tuple[CommitOid, ...] = ()
    created_at: str = ""
    writer: str = ""

    def __hash__(self) -> int:
        return hash(self.oid)

    def __repr__(self) -> str:
        came = f" from {', '.join(oid[:_SHORT] for oid in self.base)}" if self.base else ""
        return f"Cohort({self.name}{came}, {len(self.members)} members)"

    def _repr_html_(self) -> str:
        named = [
            ("base", ", ".join(oid[:_SHORT] for oid in self.base)),
            ("members", ", ".join(oid[:_SHORT] for oid in self.members)),
            *((str(name), str(value)) for name, value in self.metadata.items()),
            ("opened", self.created_at),
            ("writer", self.writer),
        ]
        return markup.facts(named, f"cohort {self.name}")


class AncestryNode(msgspec.Struct, frozen=True):
    """
    A snapshot met in a walk of the graph (semantics 26).

    Args:
        id: its commit oid.
        depth: the least number of edges to it from where the walk began.
        source: the snapshot, or what returns it when it is asked for: a walk may meet very many.
        relationship: the type of the edge by which it was first reached.
        role: what it was to its child, where that edge is a git parent's with a role.
    """

    id: CommitOid
    depth: int
    source: Snapshot | Callable[[CommitOid], Snapshot | None] | None = None
    relationship: str | None = None
    role: str = ""

    @property
    def entry(self) -> Snapshot | None:
        """The snapshot."""
        return self.source(self.id) if callable(self.source) else self.source

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AncestryNode):
            return NotImplemented
        return (self.id, self.depth, self.relationship) == (other.id, other.depth, other.relationship)

    def __hash__(self) -> int:
        return hash((self.id, self.depth))


class Kin(msgspec.Struct, frozen=True, gc=False):
    """Another parent of a trial's snapshot: how it is named, and the role it had (empty if unknown)."""

    label: str
    role: str = ""


class TrialView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A trial with its place in the graph: what renderers, listings and exports read.

    Args:
        trial: the row.
        label: how to name it: its exp id, or ``<exp id>@<writer>`` where two writers used the id.
        oid: its snapshot.
        order: its place in the history.
        parent: the label of the trial it was derived from first; ``None`` for a root.
        others: its further parents, in order, and what inspired it.
        cohort: the cohort its snapshot is a member of.
        dangling: the parent cell's text where no such trial exists.
        saw: the session commit that holds the prompt its agent had read.
        retracted: why it was retracted, so that it does not count; ``None`` where it does.
    """

    trial: Trial
    label: str
    oid: CommitOid
    order: Order
    parent: str | None = None
    others: tuple[Kin, ...] = ()
    cohort: str | None = None
    dangling: str | None = None
    saw: str | None = None
    retracted: str | None = None


class PromptView(msgspec.Struct, frozen=True, kw_only=True):
    """
    The part of a store that a prompt or a board shows; a renderer is a pure function of it.

    Args:
        task: what is optimised.
        total: how many trials the store has.
        best: the best trial (semantics 11).
        kept: kept trials, best first, ties in recording order, those without a score last.
        line: the rows of the primary chain to the best trial, root first, the best last.
        chain: the same as views; what a cut will hide may be missing at the end, and all children and siblings too.
        children: direct children of the best trial, sorted by label; the first of ``children_total``.
        recent: trials newest first, without harness aborts.
        own: the specialist's last trials, newest first, without harness aborts.
        cohort: the cohort of the best trial.
        siblings: trials of that cohort but the best, in recording order; the first of ``siblings_total``.
        insights: the text that people wrote under ``## Key Insights``, or with that heading; empty for the default.
        campaign: which campaign is shown, for the commands that ask for more of it.
    """

    task: Task
    total: int = 0
    best: TrialView | None = None
    kept: tuple[TrialView, ...] = ()
    line: tuple[Trial, ...] = ()
    chain: tuple[TrialView, ...] = ()
    children: tuple[TrialView, ...] = ()
    children_total: int = 0
    recent: tuple[TrialView, ...] = ()
    own: tuple[TrialView, ...] = ()
    cohort: str | None = None
    siblings: tuple[TrialView, ...] = ()
    siblings_total: int = 0
    insights: str = ""
    campaign: str = ORDINARY


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """
    A trial on the line to the best one, and what it gained; both differences are in the score's units.

    Args:
        view: the trial.
        over_line: its score less that of the trial above it on the line; ``None`` where one of them has none.
        over_best: its score less that of the best trial of its time; ``None`` where there was none.
    """

    view: TrialView
    over_line: float | None = None
    over_best: float | None = None


class BriefView(PromptView, frozen=True, kw_only=True):
    """
    The part of a store that a prompt of a limited length shows; ``chain``, ``children`` and ``siblings`` are empty.

    Args:
        window: how many of the newest trials were looked at for what is said of the recent past.
        steps: the end of the line to the best trial, the best first; the first of as many as ``line`` has.
        kept_total: how many kept trials there are.
        failed: how many of the window failed, by kind: a status, and the ``failure`` cell's word where there is one.
        failures: the newest of each kind, then the second newest of each, and so on.
        near: trials of the window that were not kept, the best score first.
        near_total: how many such trials with a score there are in the window.
        outdated: discards of the window that would be keeps now, in recording order (semantics 214).
        open: kept trials that nothing was derived from, the best score first, without the best trial.
        open_total: how many those are.
        pending: the newest trials without a result.
        stuck: the newest trial of each specialist who is stuck, newest first: the last ones all stayed within noise,
            or many were made since the last keep.
        since_keep: how many each of these made since the last keep, as `store.stats` counts them.
    """

    window: int = 0
    steps: tuple[Step, ...] = ()
    kept_total: int = 0
    failed: tuple[tuple[str, int], ...] = ()
    failures: tuple[tuple[str, TrialView], ...] = ()
    near: tuple[TrialView, ...] = ()
    near_total: int = 0
    outdated: tuple[TrialView, ...] = ()
    open: tuple[TrialView, ...] = ()
    open_total: int = 0
    pending: tuple[TrialView, ...] = ()
    stuck: tuple[TrialView, ...] = ()
    since_keep: tuple[int, ...] = ()


class LineageSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an agent was shown: the rendered prompt and the records behind it (semantics 18, 64).

    Args:
        rendered_prompt: the Markdown text.
        current_best: the best trial; ``None`` in an empty store.
        chain_to_best: the primary chain, root first.
        top_k_leaderboard: kept trials, best first.
        recent_n_activity: trials newest first, without harness aborts.
        last_m_with_full_hypothesis: the newest of those, shown at length.
        specialist: whom the prompt was for.
        parameters: the options it was rendered with.
        tips: the writers' refs it was rendered from, writer → commit oid.
        clock: the Lamport clock of the last event that it shows.
        session: the commit of the session event, when the prompt was recorded.
    """

    rendered_prompt: str
    current_best: Trial | None = None
    chain_to_best: tuple[Trial, ...] = ()
    top_k_leaderboard: tuple[Trial, ...] = ()
    recent_n_activity: tuple[Trial, ...] = ()
    last_m_with_full_hypothesis: tuple[Trial, ...] = ()
    specialist: str = ""
    parameters: Mapping[str, Any] = {}
    tips: Mapping[str, str] = {}
    clock: int = 0
    session: CommitOid | None = None

    def __str__(self) -> str:
        return self.rendered_prompt

    def __repr__(self) -> str:
        shown = f"for {self.specialist!r}, {len(self.rendered_prompt)} characters"
        return f"LineageSnapshot({shown}, best {self.current_best!r})"


LEAST_BUDGET = 1000
"""Characters that a prompt's first lines need at the most, whatever the names in them."""


class PromptOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    How to render a prompt (semantics 43–54).

    Args:
        top_k: rows of the leaderboard.
        recent_n: rows of the recent-activity table.
        last_m_full: bullets with hypothesis and notes at length.
        session_timestamp: the session's start as it is to be printed.
        workdir: the folder the agent works in.
        tree_path: where ``tree.tsv`` is, as it is to be printed.
        max_chars: cut the knowledge document here and the leaderboard at half of it; 0 cuts nothing.
        max_children: list at most this many children of the best, the newest; 0 lists all.
        lineage: ``False`` renders the ablation without any history (semantics 51).
        raw_parents: whether parents are taken as typed, without linking ``exp_NNN`` to ``NNN``.
        budget: the most characters that the prompt may have, `LEAST_BUDGET` or more (semantics 95); ``None`` for the
            harness's layout, whose length nothing but the other options bounds.

    Raises:
        ValueError: a negative number, or a budget that nothing fits into.
    """

    top_k: int = 20
    recent_n: int = 30
    last_m_full: int = 10
    session_timestamp: str = ""
    workdir: str = ""
    tree_path: str = ""
    max_chars: int = 8000
    max_children: int = 0
    lineage: bool = True
    raw_parents: bool = False
    budget: int | None = None

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget < LEAST_BUDGET:
            raise ValueError(f"budget is {LEAST_BUDGET} characters or more, not {self.budget}")
        for name in ("top_k", "recent_n", "last_m_full", "max_chars", "max_children"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is 0 or more, not {getattr(self, name)}")


__all__ = [
    "ROLES",
    "AncestryNode",
    "Cohort",
    "CommitOid",
    "Kin",
    "LineageSnapshot",
    "Order",
    "Origin",
    "PromptOptions",
    "PromptView",
    "Reparenting",
    "Snapshot",
    "Task",
    "TreeOid",
    "TrialView",
]
