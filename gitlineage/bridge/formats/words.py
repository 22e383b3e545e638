"""
What people's words mean: those for statuses, those for directions, and names of columns. The one table of each.

Start with `status_of` for a cell, `direction_of` for a column's name. What is not here is not guessed: it is asked for.
"""

import re
from collections.abc import Iterable, Sequence

from gitlineage.model.trial import FailureLabel


def split_words(text: str) -> frozenset[str]:
    """Return the words of a list that is written as one text."""
    return frozenset(text.split())


RAN, UNDECIDED, PENDING, CHECKS_FAILED = "ran", "undecided", "pending", "checks_failed"
"""Classes beside the ten statuses: nobody judged it; neither kept nor discarded; not over; its result is wrong."""

CLASSES = (*(label.value for label in FailureLabel), RAN, UNDECIDED, PENDING, CHECKS_FAILED)
"""Everything that a row's status can be read as."""

KEPT = ("keep",)
JUDGED = ("keep", "discard", "baseline")
"""Classes that say a decision was made."""

ELIGIBLE = ("keep", "baseline", RAN)
"""Classes of which one is the best."""

UNSCORED = ("crash", "preflight_crash", "harness_abort", PENDING)
"""Classes that come without a score, whatever their cell holds."""

_STATUSES = {
    "keep": """
        keep kept keeper keeping accept accepted accepting improve improved improvement improves better best new_best
        newbest best_so_far win winner won merge merged adopt adopted approve approved promote promoted champion yes
        confirm confirmed
        true y 1 advance advanced retain retained ship shipped commit committed landed keep_best selected positive up
        ✅ ✓ ✔ ☑ 最佳 旧最佳 最新最佳 新最佳 突破 突破性改进 保留 采纳 接受 采用 改进 提升 保持
    """,
    "discard": """
        discard discarded discarding revert reverted reverting reject rejected rollback rolled_back rolledback
        worse regressed regression regress no false n 0 kill no_improvement no_improve no_gain no_change unchanged
        neutral lose lost loser loss abandoned undo undone not_kept unkept tie tied equal same noise refuted falsified
        disproved negative down remove removed backout backed_out dead_end deadend
        ✗ ✘ ❌ ✖ × 回滚 丢弃 放弃 拒绝 舍弃 撤销 恢复 无效
    """,
    "crash": """
        crash crashed crashing error errored err fail failed failure oom out_of_memory timeout timed_out time_out killed
        exception nan diverged diverge invalid broken compile_error compile_fail build_error build_fail build_failed
        abort aborted no_result bug buggy segfault preempted infra_fail interrupted cancelled canceled died
        💥 崩溃 失败 报错 超时
    """,
    "baseline": """
        baseline base bl initial init seed reference control starting_point start original 基线 基准 初始
    """,
    RAN: """
        ok okay success successful succeeded done finished finish final complete completed pass passed passing ran valid
        verified evaluated measured recorded tested good correct 完成 成功 通过
    """,
    PENDING: """
        pending running queued scheduled in_progress inprogress wip planned submitted waiting started todo active
        运行中 进行中
    """,
    UNDECIDED: """
        no_op noop pivot drift blocked search refine review in_review needs_review under_review skip skipped diag
        diagnostic diagnosis candidate keep_candidate verify verification inconclusive mixed unclear info
        informational partial hold on_hold maybe probe analysis milestone marginal deferred escalate stuck plateau
        stop stopped setup summary meta_iteration research none undecided unknown duplicate tentative iterate repair
        no_run not_run 跳过 待定
    """,
    "size_blocked": "size_blocked size_violation size_limit over_size oversize oversized too_large over_limit too_big",
    CHECKS_FAILED: """
        checks_failed check_failed guard_failed guard_fail tests_failed test_failed verify_failed verification_failed
    """,
    "disqualified": "disqualified cheated cheating leak leaked leakage contaminated",
    "preflight_crash": "preflight_crash preflight_fail preflight_failed syntax_error import_error",
}  # fmt: skip
_TABLE = {word: name for name, words in _STATUSES.items() for word in words.split()} | {
    label.value: label.value for label in FailureLabel
}
_LEADING = split_words(
    """
    keep kept discard discarded revert reverted reject rejected rollback rolled crash crashed baseline base fail
    failed accept accepted improved best new_best error timeout oom skip skipped regressed worse confirmed positive
    negative invalid
    """
)
"""Words that still mean the same where more hangs on them: ``discard_stage1``, ``REVERTED:too_slow``."""

_TRAILING = split_words(
    """
    baseline keep kept accept accepted discard discarded reverted revert rejected reject crash crashed failed failure
    error timeout oom
    """
)
_DOUBTS = split_words("candidate or but pending tentative")
_PROSE = re.compile(r"\s*(?:[:;(\[—–→]|[.,]\s|\s-{1,2}\s)")
"""Where a sentence begins that says more about a status than its word."""

_LONGEST = 200
_NEGATIONS = split_words("not no non didnt did_not never without un")
_CUT = re.compile(r"[\s:;,/|+()\[\]{}<>→=\-_–—.]+")
_TRIM = " \t*_`'\"()[]{}.!:;,\ufe0f"
_CJK = re.compile("[\u4e00-\u9fff]")


_FLAGS = {
    ("keep", "discard"): """
        kept keep is_kept accepted accept is_accepted selected is_selected promoted is_promoted merged adopted advanced
    """,
    ("discard", "keep"): "discarded rejected reverted is_discarded is_rejected is_reverted rolled_back",
    (RAN, "crash"): """
        ok is_ok success successful succeeded is_success is_successful completed is_completed finished is_finished
        compiled compiles ran
    """,
    (RAN, CHECKS_FAILED): """
        passed is_passed pass valid is_valid correct is_correct verified is_verified tests_passed tests_pass
        checks_passed all_passed feasible is_feasible
    """,
    ("crash", RAN): """
        crashed crash is_crash failed is_failed failure errored is_error oom is_oom timeout timed_out is_timeout
        diverged is_diverged aborted
    """,
    (CHECKS_FAILED, RAN): "invalid is_invalid infeasible",
    ("disqualified", RAN): "disqualified is_disqualified cheated",
}  # fmt: skip
_FLAG = {name: meaning for meaning, names in _FLAGS.items() for name in names.split()}
_YES, _NO = split_words("true yes y 1 1.0 ✓ ✅"), split_words("false no n 0 0.0 ✗ ❌")
_DIGITS = split_words("0 1 0.0 1.0")
FLAGS = tuple(_FLAG)
"""Names of columns that say by yes or no how a row ended, those that decide first."""


def is_flag(name: str, cells: Iterable[str]) -> bool:
    """
    Whether a column says by yes or no how its rows ended: its name does, and it holds nothing else.

    Ones and zeros alone do so only where the name is no measure: ``passed`` may count.
    """
    if "_".join(parts_of(name)) not in _FLAG:
        return False
    held = list(cells)
    return is_yes_or_no(held) and (
        direction_of(name) is None or any(cell.strip() not in _DIGITS for cell in held if cell.strip())
    )


def is_yes_or_no(cells: Iterable[str]) -> bool:
    """Whether a column holds nothing but yes and no, in whatever words, and one of them at least."""
    held = {cell.strip().casefold() for cell in cells if cell.strip()}
    return bool(held) and held <= _YES | _NO


def flag_of(name: str, cell: str) -> str | None:
    """Return the class that a cell of a yes-or-no column means, ``None`` where it says neither."""
    meaning = _FLAG.get("_".join(parts_of(name)))
    word = cell.strip().casefold()
    if meaning is None or word not in _YES | _NO:
        return None
    return meaning[word in _NO]


def before_prose(cell: str) -> str:
    """Return a status cell up to where a sentence begins that says more about it."""
    prose = _PROSE.search(cell.strip())
    return cell.strip()[: prose.start()] if prose else cell.strip()


def normal(word: str) -> str:
    """Return a status word without its case, decoration and separators."""
    return re.sub(r"[\s\-]+", "_", word.strip(_TRIM).casefold())


def status_of(word: str) -> str | None:
    """
    Return the class that a status cell means, ``None`` where nobody knows.

    A word of the table, alone or before a sentence; else one of few words that others hang on, before or after.
    """
    plain = normal(word)
    if not plain:
        return _TABLE.get(word.strip().rstrip("\ufe0f"))
    if meaning := _TABLE.get(plain):
        return meaning
    if meaning := _TABLE.get(normal(before_prose(word))):
        return meaning
    if len(word) > _LONGEST:
        return None
    bare = [part.strip(_TRIM) for part in _CUT.split(plain.strip("_")) if part]
    if not bare:
        return None
    if len(bare) > 1 and _TABLE.get("_".join(bare[:2])) in CLASSES and not _NEGATIONS & set(bare):
        return _TABLE["_".join(bare[:2])]
    if bare[0] in _LEADING and (len(bare) == 1 or bare[1] not in _DOUBTS):
        return _TABLE.get(bare[0], "discard" if bare[0] == "rolled" else None)
    if _NEGATIONS & set(bare):
        return None
    if bare[-1] in _TRAILING and len(bare) <= 3:
        return _TABLE[bare[-1]]
    if _CJK.search(plain):
        return next((_TABLE[known] for known in _TABLE if _CJK.match(known) and plain.startswith(known)), None)
    leading = word.strip()[:1]
    return _TABLE.get(leading) if leading in "✅✓✔☑✗✘❌✖💥" else None


# -- directions ----------------------------------------------------------------------------------------------------

_LOWER = split_words(
    """
    loss losses err error errors errs rmse mse mae mape smape rmsle rmsd bpb bpc ppl perplexity nll wer cer ter
    latency time duration seconds secs elapsed runtime cost costs size bytes violations violation failures misses
    regret fid kid fvd divergence kl jsd residual residuals distance overhead ttft tpot itl p50 p90 p95 p99
    instructions instr allocs allocations penalty drawdown dd mdd brier crps logloss warnings ms us ns µs μs usec
    msec gates toffoli spacetime deviation mismatch mismatches disagreement leakage lint todos complexity loc bpp
    aic bic chi2 hamming edit levenshtein exploitability
    """
)
_HIGHER = split_words(
    """
    acc accuracy auc auroc auprc aucpr ap map f1 f05 f2 fscore precision recall ndcg mrr r2 bleu chrf rouge meteor
    iou miou dice jaccard reward rewards return returns pnl profit sharpe sortino calmar roi throughput tok toks tps
    qps rps fps ips iops gflops tflops flops mfu speedup ops winrate elo passed pass passrate success coverage
    correct correctness hit hits hitrate psnr ssim spearman pearson kappa mcc corr correlation cindex likelihood
    elbo ebitda utilization gbps quality wins winloss resolved solved solve vmaf similarity cosine agreement
    bandwidth lift yield alpha
    """
)
_MOSTLY_HIGHER = split_words("score scores fitness rating grade points utility")
"""Words in names that most people use for what is better when it is higher, and some for the contrary."""

_RATED = re.compile(r"^(tok|toks|token|tokens|req|reqs|ops|it|iter|iters|steps|samples|img|images|items)(_?p?s|_sec)$")
_TIME_PER = re.compile(r"^(ms|us|ns|µs|s|sec|secs|seconds|time)_per_")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SPLIT = re.compile(r"[^0-9a-zA-Zµμ²]+")


def parts_of(name: str) -> list[str]:
    """Return the words in a column's name: ``val`` and ``loss`` of ``valLoss``, ``val_loss`` and ``val loss``."""
    return [part.casefold() for part in _SPLIT.split(_CAMEL.sub("_", name.replace("R2", "r2"))) if part]


def direction_of(name: str) -> bool | None:
    """Return whether a column of this name is better when it is lower, ``None`` where its name does not say."""
    if "↓" in name or re.search(r"\(?(lower|min(imi[sz]e)?)(_is_better)?\)?$", name.casefold()):
        return True
    if "↑" in name or re.search(r"\(?(higher|max(imi[sz]e)?)(_is_better)?\)?$", name.casefold()):
        return False
    words = parts_of(name)
    plain = "_".join(words)
    if _TIME_PER.match(plain):
        return True
    if _RATED.match(plain) or ("per" in words[1:] and words[-1] in _TIMES):
        return False
    if words and words[-1] == "s" and len(words) > 1:  # tok_s is a rate, train_s a time
        return None if words[-2] in ("score",) else words[0] not in _RATES and words[-2] not in _RATES
    lower, higher = ([word for word in words if word in known] for known in (_LOWER, _HIGHER))
    if lower and not higher:
        return True
    if higher and not lower:
        return False
    if words and "rate" in words and not lower and not higher:
        return False
    if lower and higher and words[-1] in _LOWER | _HIGHER:
        return words[-1] in _LOWER if words[-1] not in ("time", "ms", "s") else None
    return None


def leaning_of(name: str) -> bool | None:
    """
    Return what most people mean by a name that `direction_of` does not know: ``False``, higher; ``None`` for nothing.

    It is weak: rows that speak against it go before.
    """
    return False if direction_of(name) is None and _MOSTLY_HIGHER & set(parts_of(name)) else None


_RATES = split_words(
    """
    tok toks token tokens req reqs ops it iter iters step steps sample samples mb gb kb bytes item items
    """
)


def direction_word(text: str) -> bool | None:
    """Return whether a setting's value says that lower is better; ``None`` where it says nothing."""
    plain = normal(text)
    if re.match(r"(lower|low|min|minimi[sz]e|minimi[sz]ation|down|decreas\w*|smaller|↓|asc\w*)(_|\b|$)", plain):
        return True
    if re.match(r"(higher|high|max|maximi[sz]e|maximi[sz]ation|up|increas\w*|larger|bigger|↑|desc\w*)(_|\b|$)", plain):
        return False
    return None


# -- names of columns ----------------------------------------------------------------------------------------------

STATUS = (
    "status", "decision", "verdict", "outcome", "kept", "keep", "accepted", "accept", "is_kept", "kept?", "keep?",
    "result", "state", "action", "disposition", "conclusion", "keep_discard", "keep/discard", "keep_or_discard",
    "judgement", "judgment", "selected", "improved", "exp_status", "run_status", "result_status", "final_status",
    "experiment_status", "trial_status", "correctness", "状态", "结果", "决策", "结论",
)  # fmt: skip
"""Names of columns that say how a row ended, the likeliest first."""

ID = (
    "exp_id", "experiment_id", "run_id", "trial_id", "candidate_id", "iteration_id", "attempt_id", "id", "iteration",
    "iter", "exp", "run", "trial", "experiment", "round", "gen", "generation", "attempt", "exp_num", "run_num",
    "experiment_num", "iter_num", "exp_no", "run_no", "#", "no", "no.", "num", "n", "idx", "index", "number", "cycle",
    "step", "version", "variant", "run id", "name", "tag", "config", "轮次", "实验", "编号", "序号",
)  # fmt: skip
"""Names of columns that name a row, the likeliest first."""

OF_LOOPS = frozenset(ID[: ID.index("#")]) - {"id"}
"""Names of columns that trials have, and tables of something else have not."""

COMMIT = (
    "commit", "commit_hash", "commit_sha", "git_commit", "git_sha", "git_hash", "commit_id", "hash", "sha", "revision",
    "rev", "git_rev", "solver_sha", "candidate_commit", "code_sha", "code_hash", "提交",
)  # fmt: skip
PARENT = re.compile(r"(^|_)(parent|parents|parent_id|parent_exp|parentrunid|derived_from|based_on|builds_on)(_|$)")
STARTED = re.compile(r"(^|_)(parent|base|start|from|before|prev|previous|baseline|origin)(_|$)")
"""What a column of hashes is called that says where a trial started, not what it made."""

TEXT = (
    "hypothesis", "description", "desc", "change", "changes", "change_summary", "change_description", "what_changed",
    "mutation", "mutations", "idea", "title", "summary", "experiment", "notes", "note", "comment", "comments", "what",
    "strategy", "approach", "rationale", "insight", "message", "label", "flags", "name", "tag", "technique", "game",
    "plan", "reason", "描述", "说明", "策略", "备注",
)  # fmt: skip
"""Names of columns that say what was tried, the likeliest first."""

TIME = (
    "timestamp", "time", "date", "datetime", "created", "created_at", "start_time", "started_at", "start time", "ts",
    "finished_at", "end_time", "logged_at", "when", "时间",
)  # fmt: skip
SCALE = split_words(
    """
    skill benchmark dataset data_set suite problem kernel kernel_type target task scenario env game
    """
)
"""Names of columns whose values are scored apart, where each has a baseline of its own."""

_PROSE_COLUMNS = split_words(
    """
    hypothesis description desc change changes change_summary idea title summary notes note comment comments rationale
    message reason
    """
)
_HASHES = split_words("hash sha sha1 sha256 digest commit")
_FIRST = split_words("metric score objective fitness")
_SPLITS = split_words("val valid validation test eval dev cv oof holdout heldout ho lb")
_TOTALS = split_words(
    """
    mean avg average total overall combined aggregate geomean median final macro weighted primary main composite
    """
)
_BEFORE = split_words(
    """
    old before prev previous prior parent baseline base start started initial init orig reference ref
    """
)
_AFTER = split_words("new after now current cur candidate cand")
_AUX = split_words(
    """
    memory mem vram ram gb mb gib mib params param parameters epoch epochs step steps seed lr rate_lr batch budget
    ctx width depth layers layer heads dim iteration iter cycle std stdev sd sem ci pvalue p n num count confidence
    iterations iters temperature temp tokens flags rank port pid threads workers gpus lines line files file prior
    weight version conf
    sigma noise target threshold expected predicted timestamp hours gpu cpu lift_pct active year month day
    """
)
_HYPER = split_words(
    """
    learning lr dropout decay momentum warmup hidden embed embedding estimators depth batch seed epoch epochs
    """
)
"""Words in the names of what a recipe is made with, which is no score."""

_TIMES = split_words(
    """
    s sec secs seconds time duration elapsed runtime wall min mins minutes hours hour h cost
    """
)
_WALL = split_words("duration elapsed wall walltime runtime minutes seconds hours total_seconds train_seconds")
_CHANGES = split_words("delta diff change improvement gain gained vs rel relative improved")


def is_duration(name: str) -> bool:
    """Whether a column's name says that it holds how long a run took, which most logs say of every run."""
    words = parts_of(name)
    return bool(words) and (words[0] in _WALL or "_".join(words) in ("time_s", "time_sec", "time_min", "time"))


def _is_total(words: Sequence[str], others: Iterable[str]) -> bool:
    """
    Whether a name says that it stands for others: a mean, the macro value, a total.

    ``total`` is half of other names, too: ``total_return`` is one where no other return stands beside it.
    """
    of = {word for word in words if word not in _TOTALS}
    if len(of) == len(set(words)):
        return False
    if "total" not in words:
        return True
    plain = "_".join(words)
    beside = any(other != plain and of & set(other.split("_")) for other in others)
    return not of or beside or bool(of & _CHANGES)


def metric_tier(name: str, names: Iterable[str]) -> float:
    """
    Return how much a column's name says that it is what a loop ranks by; 0 where it says that it is not.

    5 and more for a name such as ``score``; 4 for what has a direction, such as ``val_loss``; 3 for a name that nobody
    knows; 2 for times and sizes; 1 for changes against something.

    Args:
        name: the column.
        names: all columns; one that was before another one, as ``old_score``, is none.
    """
    words = parts_of(name)
    if not words:
        return 3.0
    plain = "_".join(words)
    if plain in ("metric_name", "metric_direction", "score_percent"):
        return 0.0
    if words[0] in ("params", "tags", "config", "hyperparameters", "hparams") or words[-1] in _HASHES:
        return 0.0
    if plain in _PROSE_COLUMNS:
        return 0.0
    if all(word in _AFTER for word in words):
        return 2.4  # of what, nobody says: a parameter's new value as well as a score
    others = {"_".join(parts_of(other)) for other in names}
    of = set(words[1:])
    if words[0] == "best" and (not of or any(of <= set(other.split("_")) for other in others - {plain})):
        return 0.0
    if any(word in _BEFORE for word in words) and direction_word(words[0]) is None:
        return 0.0
    bonus = 0.0
    bonus += 0.4 if any(word in _AFTER for word in words) else 0.0
    bonus += 0.3 if any(word in _SPLITS for word in words) else 0.0
    bonus -= 0.3 if words[0] in ("train", "training") else 0.0
    bonus += 0.5 if _is_total(words, others) else 0.0
    known = direction_of(name)
    if any(word in _HYPER for word in words) and words[-1] not in _FIRST:
        return 0.5
    if words[-1] in _TIMES and "per" in words[1:]:
        return 4.0 + bonus
    if any(word in _CHANGES for word in words):
        return 3.0 + bonus if any(word in _TOTALS for word in words) else 1.0 + bonus
    if plain in ("metric", "score", "metric_value", "primary_metric", "primary_score", "objective", "fitness") or (
        words[0] in ("primary", "objective")
    ):
        return 5.5
    if all(word in _TOTALS for word in words):
        return 4.2  # the sum of what stands beside it
    if words[-1] in _FIRST or words[0] in _FIRST:
        return 4.5 + bonus
    if any(word in ("std", "stdev", "sd", "sem", "stderr", "ci", "var", "pvalue", "p") for word in words[1:]):
        return 0.5
    units = ("ms", "us", "ns", "µs")
    if known is True and any(word in units for word in words) and "per" not in words:
        return 2.5 + bonus
    if known is True and (words[-1] in _TIMES or words[-1] in ("ms", "us", "ns", "µs", "size", "bytes")):
        return 2.5 + bonus
    if "rate" in words and not any(word in _LOWER or word in _HIGHER for word in words):
        return 3.0 + bonus  # of what, nobody says
    if known is not None and not (words[-1] in _AUX and words[-1] not in ("pass",)):
        return 4.0 + bonus
    if any(word in _AUX for word in words) or words[-1] in _TIMES:
        return 1.5
    return 3.0 + bonus
