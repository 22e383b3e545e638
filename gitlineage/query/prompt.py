"""
What a prompt shows, gathered from the index; how it looks is the renderer's.

The cost follows what is shown, not the size of the store.
"""

from gitlineage.model.namespace import ORDINARY
from gitlineage.model.records import PromptOptions, PromptView
from gitlineage.query.lines import Line
from gitlineage.query.views import Views
from gitlineage.render.board import lines_shown
from gitlineage.render.prompt import SATURATED_AFTER

_SHORTEST = 23
"""Characters of the shortest line that shows a child, with its end."""


def prompt_view(
    views: Views, specialist: str, options: PromptOptions, insights: str = "", campaign: str = ORDINARY
) -> PromptView:
    """
    Return the part of a store that a prompt for one specialist shows.

    Args:
        views: the store, at the moment that is asked about.
        options: how much of each is wanted.
        insights: what people wrote under Key Insights.
        campaign: which campaign the store shows.
    """
    best = views.best()
    line = (
        told(views, views.line(best.oid, best.trial.exp_id, best.order.writer))
        if best and not views.raw_parents
        else None
    )
    shown = lines_shown(line.trials, options.max_chars) if line is not None else None
    if line is not None:
        chain = views.by_number(line.numbers[:shown])
    else:
        chain = [view for view in views.chain(best) if view.trial.status and view.retracted is None] if best else []
    around = best if shown is None else None  # a cut inside the chain hides all that follows
    few = None if options.max_chars == 0 or options.max_children else options.max_chars // _SHORTEST + 1
    children = views.children(around, few) if around else []
    siblings = []
    if around is not None and around.cohort is not None:
        members = [view for view in views.members(around.cohort) if view.retracted is None]
        siblings = [view for view in members if view.oid != around.oid and view.trial.status]
    return PromptView(
        task=views.task,
        total=views.total(),
        best=best,
        kept=tuple(views.kept(options.top_k)),
        line=line.trials if line is not None else tuple(view.trial for view in chain),
        chain=tuple(chain),
        children=tuple(children),
        children_total=views.count_children(around) if around else 0,
        recent=tuple(views.latest(max(options.recent_n, options.last_m_full), aborted=False)),
        own=tuple(views.latest(SATURATED_AFTER, aborted=False, specialist=specialist)),
        cohort=best.cohort if best else None,
        siblings=tuple(siblings),
        siblings_total=len(siblings),
        insights=insights,
        campaign=campaign,
    )


def told(views: Views, line: Line) -> Line:
    """Return a line without the trials that have no result yet, and those that were retracted."""
    retracted = views.retracted_among(line.numbers)
    if not retracted and all(trial.status is not None for trial in line.trials):
        return line
    told = [
        (number, trial)
        for number, trial in zip(line.numbers, line.trials, strict=True)
        if trial.status is not None and number not in retracted
    ]
    return Line(tuple(number for number, _ in told), tuple(trial for _, trial in told))
