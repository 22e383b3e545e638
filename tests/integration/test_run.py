"""Runs: a command becomes a trial, whatever it does; real commands, real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from command_line import Shell, environment, on_terminal, process

from gitlineage import Invalid, LineageStore
from gitlineage.run import trial
from gitlineage.run.records import Limits, Plan

PATIENCE = 60.0


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Return a shell in a repository whose task is ``loss``, with a file in it."""
    shell = Shell(tmp_path / "repo")
    shell.folder.mkdir()
    (shell.folder / "train.py").write_text("print('loss: 0.5')\n")
    shell("init", "--metric", "loss", "--lower-is-better", "--writer", "alice")
    return shell


def run(shell: Shell, *words: object, code: str = "", **variables: str) -> dict:
    """Run Python code, or the words after the options, as a trial in a process of its own and return what it told."""
    command = [sys.executable, "-c", code] if code else []
    done = process("run", "--json", *words, *(["--", *command] if command else []), folder=shell.folder, **variables)
    assert done.returncode == 0, done.stderr.decode()
    return told(json.loads(done.stdout))


def told(found: dict) -> dict:
    """Return what a command told of a run with the row's cells beside it."""
    return {**found.get("row", {}), **found}


def shown(shell: Shell, id: str) -> dict:
    """Return what is told of one run."""
    return told(shell.objects("runs", "show", id)[0])


def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def begun(shell: Shell, *words: object, **variables: str) -> "subprocess.Popen[bytes]":
    """Start ``run`` in a session of its own and return it once its command runs."""
    ready = shell.folder.parent / f"ready-{time.monotonic_ns()}"
    runner = subprocess.Popen(
        [sys.executable, "-m", "gitlineage", "run", *map(str, words)],
        cwd=shell.folder,
        env=environment(READY=str(ready), **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(lambda: ready.exists() or runner.poll() is not None)
    return runner


WAITS = "import os, time; open(os.environ['READY'], 'w'); time.sleep({})"


def alive(marker: str) -> list[psutil.Process]:
    """Return the processes that have a word on their command line."""
    found = []
    for each in psutil.process_iter():
        try:
            if marker in " ".join(each.cmdline()) and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except psutil.Error:
            continue
    return found


def test_a_command_becomes_a_trial_with_its_score_and_its_facts(shell):
    """The row has the score, where it was found, the seconds, the command and the end of the log."""
    done = run(shell, "-m", "the first", "--", sys.executable, "train.py")
    assert (done["status"], done["loss"], done["hypothesis"]) == ("baseline", "0.5", "the first")
    assert done["metric_from"] == "the output"
    assert done["exit_code"] == "0" and float(done["total_s"]) > 0 and done["host"]
    assert done["command"].endswith("train.py")
    assert shell("runs", "log", "000") == "loss: 0.5\n"
    assert not list((shell.folder / ".git/lineage/leases").iterdir())


def test_the_score_is_judged_as_any_other(shell):
    """A better score is a keep, a worse one a discard, with the verdict's words."""
    run(shell, code="print('loss=0.5')")
    shell.write(a="better")
    assert run(shell, code="print('METRIC loss=0.4')")["status"] == "keep"
    shell.write(a="worse")
    worse = run(shell, code="print('METRIC loss=0.6')")
    assert worse["status"] == "discard"
    assert "does not beat" in worse["verdict"]


SLEEPS = "import time; time.sleep(60)"


@pytest.mark.parametrize(
    ("code", "plan", "status", "failure"),
    [
        ("raise SystemExit(3)", {}, "crash", "exit"),
        ("import os; os.kill(os.getpid(), 11)", {}, "crash", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", {}, "crash", "killed"),
        ("raise MemoryError", {}, "crash", "oom"),
        ("print('loss: nan')", {}, "crash", "no_score"),
        ("pass", {}, "crash", "no_score"),
        (SLEEPS, {"limits": Limits(timeout=0.3)}, "train_budget_overrun", "timeout"),
        (
            f"print('GITLINEAGE_PHASE eval'); {SLEEPS}",
            {"limits": Limits(timeout=50, eval_timeout=0.3)},
            "eval_budget_overrun",
            "timeout",
        ),
        (f"print('loss: 1'); {SLEEPS}", {"limits": Limits(stall=0.5)}, "crash", "stall"),
        (f"x = bytearray(400 << 20); {SLEEPS}", {"limits": Limits(memory=100 << 20)}, "crash", "oom"),
        ("print('loss: 1')", {"checks": ("after:exit 4",)}, "disqualified", "check"),
        ("print('loss: 1')", {"checks": ("before:exit 4",)}, "preflight_crash", "could_not_start"),
        ("open('train.py', 'a').write('#'); print('loss: 1')", {"frozen": ("train.py",)}, "disqualified", "frozen"),
        (
            "open('big.pt', 'w').write('x' * 5000); print('loss: 1')",
            {"artifacts": ("*.pt",), "limits": Limits(artifact=1024)},
            "size_blocked",
            "artifact_size",
        ),
    ],
)
def test_the_status_is_what_happened(shell, code, plan, status, failure):
    """Each way to end has its status and its failure, which the row says, too."""
    with LineageStore(shell.folder) as store:
        done = trial.run(store, Plan(command=(sys.executable, "-c", code), folder=str(shell.folder), **plan))
        row = store.trial(done.id)
    assert (done.status, done.failure) == (row.status, row.text("failure")) == (status, failure), done.words


def test_a_command_that_is_no_program_could_not_start(shell):
    """What cannot be executed is a preflight crash, and says what was not found."""
    done = run(shell, "--", "no-such-program")
    assert (done["status"], done["failure"]) == ("preflight_crash", "could_not_start")
    assert "no-such-program" in done["notes"]
    assert "`sh -c`" in run(shell, "--", "no-such-program --with options")["notes"]
    assert run(shell, "--", "no-such-program")["exp_id"] == "002"  # it says nothing of the recipe, so it was not tried


def test_a_score_before_a_crash_stays_in_its_column_and_ranks_nothing(shell):
    """A forged METRIC line does not turn a crash into a best."""
    run(shell, code="print('loss: 0.5')")
    done = run(shell, code="print('METRIC loss=0.0001'); raise SystemExit(1)")
    assert (done["status"], done["loss"]) == ("crash", "0.0001")
    assert shell.objects("best")[0]["exp_id"] == "000"


def test_why_it_crashed_is_answered_on_another_machine(shell, tmp_path, git):
    """The cleaned end of the log travels with the note."""
    done = run(shell, code="print('\\x1b[31mred\\x00\\x07'); raise ValueError('boom \\x1b]0;title\\x07')")
    assert done["status"] == "crash"
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "hub")], check=True)
    subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "hub")], cwd=shell.folder, check=True)
    shell("push", "origin")
    Shell(tmp_path)("clone", str(tmp_path / "hub"), str(tmp_path / "other"))
    tail = Shell(tmp_path / "other")("runs", "log", "000")
    assert "ValueError: boom" in tail and "red" in tail
    assert "\x1b" not in tail and "\x07" not in tail and "\0" not in tail


def test_a_setsid_grandchild_dies_with_its_command(shell):
    """What made a session of its own is ended, after a timeout and after a clean end."""
    marker = f"grandchild-{os.getpid()}"
    code = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', "
        f"'{marker}'], start_new_session=True); print('loss: 1', flush=True); time.sleep({{}})"
    )
    done = run(shell, "--timeout", "1", "--grace", "1", code=code.format(60))
    assert done["status"] == "train_budget_overrun"
    assert not alive(marker)
    assert run(shell, "--field", "n=2", code=code.format(0))["status"] == "baseline"
    assert not alive(marker)


def test_a_command_that_ignores_term_is_killed_after_the_grace(shell):
    """TERM, then KILL."""
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(300)"
    done = run(shell, "--timeout", "0.5", "--grace", "0.5", code=code)
    assert done["status"] == "train_budget_overrun"
    assert float(done["total_s"]) < 60


def test_two_hundred_children_are_all_ended(shell):
    """None is left over."""
    marker = f"child-{os.getpid()}"
    code = (
        "import subprocess, time\n"
        f"for _ in range(200): subprocess.Popen(['sh', '-c', 'sleep 300; true', '{marker}'])\n"
        "time.sleep(300)"
    )
    assert run(shell, "--timeout", "2", "--grace", "0.5", code=code)["status"] == "train_budget_overrun"
    assert not alive(marker)


def test_a_log_that_grows_without_end_is_cut(shell):
    """Its beginning and its end stay, and how much is missing is told."""
    code = "import time; print('begin')\nfor n in range(300): print('x' * 100000); time.sleep(0.01)\nprint('loss: 1')"
    done = process("run", "--json", "--max-log", "1m", "--", sys.executable, "-c", code, folder=shell.folder)
    found = json.loads(done.stdout)
    log = Path(found["run"]["log"]).read_bytes()
    assert found["status"] == "baseline"
    assert found["run"]["dropped"] and "the log was cut" in done.stderr.decode()
    assert log.startswith(b"begin\n") and b"were cut here" in log and log.endswith(b"loss: 1\n")


def test_a_second_run_in_the_same_tree_is_isolated(shell):
    """It runs beside the first one, in a checkout of its snapshot, and says so."""
    first = begun(shell, "--", sys.executable, "-c", WAITS.format(300))
    second = run(shell, code="import os; print('loss: 1'); print('at', os.getcwd())")
    assert "is running in the working tree" in second["run"]["isolated"]
    assert str(shell.folder) not in shell("runs", "log", second["exp_id"])
    assert not Path(second["run"]["folder"]).exists()
    shell("runs", "cancel", "000")
    assert first.wait(PATIENCE) == 0
    assert shown(shell, "000")["status"] == "harness_abort"


def test_an_isolated_run_sees_the_snapshot_and_what_is_linked(shell):
    """Ignored data is not there, unless it is linked."""
    (shell.folder / ".gitignore").write_text("data/\n")
    (shell.folder / "data").mkdir()
    (shell.folder / "data/x").write_text("7")
    code = "import os; print(sorted(os.listdir())); print('loss:', open('data/x').read())"
    assert run(shell, "--isolated", code=code)["status"] == "crash"
    linked = run(shell, "--isolated", "--link", "data", "--if-tried", "repeat", code=code)
    assert linked["loss"] == "7"
    assert (shell.folder / "data/x").read_text() == "7"


def test_changed_files_of_the_snapshot_are_a_fact_of_the_trial(shell):
    """They are told, and stay as they are; the trial is marked wherever it ranks."""
    code = "open('train.py', 'a').write('# more'); open('new.txt', 'w'); print('loss: 1')"
    done = process("run", "--json", "-m", "bold", "--", sys.executable, "-c", code, folder=shell.folder)
    assert told(json.loads(done.stdout))["changed"] == "train.py"
    assert "has all files as they were when it began" in done.stderr.decode()
    assert (shell.folder / "train.py").read_text().endswith("# more")
    assert shell("best").rstrip().endswith("[changed while it ran: train.py] bold")
    assert "train.py changed while it ran" in shell("show", "000")
    assert "code changed while it ran" in shell("prompt", "--budget", "4000")
    shell("commit", "--new", "-m", "x", "--metric", "2", "--field", "changed=everything")
    assert "while it ran" not in shell("log", "-n", "1") + shell("show", "001")


def test_an_isolated_run_has_the_files_of_submodules(shell, tmp_path, git):
    """As of the commit in its snapshot; a commit that is not here is named, and nothing recorded."""
    other = tmp_path / "other"
    other.mkdir()
    inside = ["git", "-c", "protocol.file.allow=always", "-c", "user.name=A", "-c", "user.email=a@b.c"]
    subprocess.run([*inside, "init", "-q", other], check=True)
    (other / "part.py").write_text("loss = 2.5\n")
    subprocess.run([*inside, "add", "part.py"], cwd=other, check=True)
    subprocess.run([*inside, "commit", "-qm", "part"], cwd=other, check=True)
    subprocess.run([*inside, "submodule", "--quiet", "add", other, "lib"], cwd=shell.folder, check=True)
    code = "import sys; sys.path.insert(0, 'lib'); import part; print('loss:', part.loss)"
    done = run(shell, "--isolated", code=code)
    assert (done["status"], done["loss"]) == ("baseline", "2.5")
    assert not Path(done["run"]["folder"]).exists()
    shutil.rmtree(shell.folder / "lib")
    subprocess.run([*inside, "init", "-q", shell.folder / "lib"], check=True)
    subprocess.run([*inside, "commit", "-qm", "else", "--allow-empty"], cwd=shell.folder / "lib", check=True)
    plan = Plan(command=(sys.executable, "-c", code), folder=str(shell.folder), of=done["oid"], isolated=True)
    with LineageStore(shell.folder) as store, pytest.raises(Invalid, match="lib is a submodule and has not its commit"):
        trial.run(store, plan)
    assert len(shell.objects("log")) == 1


def test_an_exit_code_of_its_own_may_stand_for_a_status(shell):
    """A program that counts its own budget says so; any other code is a crash, and a wrong option is refused."""
    done = run(shell, "--exit-code", "3=train_budget_overrun", code="raise SystemExit(3)")
    assert (done["status"], done["exit_code"]) == ("train_budget_overrun", "3")
    assert "says train_budget_overrun" in done["notes"]
    assert run(shell, "--exit-code", "3=train_budget_overrun", code="raise SystemExit(4)")["status"] == "crash"
    for wrong in ("3=keep", "0=crash", "300=crash", "x=crash", "3"):
        assert "N=STATUS" in shell.fails(2, "run", "--exit-code", wrong, "--", "true")


def test_a_run_without_a_score_hears_how_to_have_one(shell):
    """The numbers that it printed are named, and a file that is not there is told; no row has what only a log said."""
    code = "print('mean_loss=3, acc: 0.5')"
    none = process("run", "--", sys.executable, "-c", code, folder=shell.folder)
    assert "note: it gave numbers for mean_loss, acc: --metric NAME takes one" in none.stderr.decode()
    (row,) = shell.objects("log")
    assert row["row"]["notes"] == "it ended well and has no score: it gave no loss" and "mean_loss" not in row["row"]
    code = "print('loss: 3')"
    there = process("run", "--metric-from", "out.json", "--", sys.executable, "-c", code, folder=shell.folder)
    assert "there is no file out.json, so the score was taken from the output" in there.stderr.decode()


def test_an_interrupt_is_passed_on_and_recorded(shell):
    """Exit code 130, harness_abort, nothing left."""
    runner = begun(shell, "--", sys.executable, "-c", WAITS.format(300))
    runner.send_signal(signal.SIGINT)
    assert runner.wait(PATIENCE) == 130
    row = shown(shell, "000")
    assert (row["status"], row["failure"]) == ("harness_abort", "interrupted")


def test_a_killed_runner_is_told_and_resumed(shell):
    """The next command says so; `runs resume` watches the living command to its end and records it."""
    code = f"{WAITS.format(3)}; print('loss: 0.25')"
    runner = begun(shell, "-m", "long", "--", sys.executable, "-c", code)
    runner.kill()
    runner.wait()
    assert "run 000 lost its runner" in shell.run("log").stderr
    assert shell.objects("log")[0]["status"] is None
    resumed = process("runs", "resume", "000", "--json", folder=shell.folder)
    assert "run 000: attempt 1, which still runs, is watched on" in resumed.stderr.decode()
    row = told(json.loads(resumed.stdout))
    assert (row["status"], row["loss"]) == ("baseline", "0.25")
    assert len(shell.objects("log")) == 1
    assert not shell.run("log").stderr


def test_a_run_whose_runner_and_command_were_killed_is_settled_by_the_next_one(shell):
    """Its end is not known, and says so; the trial is there once."""
    runner = begun(shell, "--", sys.executable, "-c", WAITS.format(300))
    number = int((shell.folder / ".git/lineage/runs/000/process").read_text())
    runner.kill()
    os.killpg(number, signal.SIGKILL)
    runner.wait()
    until(lambda: not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE)
    assert run(shell, code="print('loss: 1')")["exp_id"] == "001"
    first = shown(shell, "000")
    assert (first["status"], first["failure"]) == ("harness_abort", "lost")


def test_a_preempted_run_goes_on_as_the_same_trial(shell):
    """SIGTERM leaves it pending; the batch system's requeue goes on with it."""
    slurm = {"SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": "0"}
    flag = shell.folder.parent / "flag"
    code = (
        f"import os, time; again = os.path.exists({str(flag)!r}); open({str(flag)!r}, 'w'); "
        "open(os.environ['READY'], 'w'); print('loss: 0.3') if again else time.sleep(300)"
    )
    runner = begun(shell, "--", sys.executable, "-c", code, **slurm)
    runner.terminate()
    assert runner.wait(PATIENCE) == 143
    assert shown(shell, "000")["run"]["state"] == "preempted"
    again = run(shell, code=code, READY=str(flag) + "2", **{**slurm, "SLURM_RESTART_COUNT": "1"})
    assert (again["exp_id"], again["status"], again["run"]["attempt"]) == ("000", "baseline", 2)
    assert len(shell.objects("log")) == 1


def test_a_named_run_is_one_trial_however_often_it_is_asked_for(shell):
    """``--run`` makes the trial, and gives its result when it is there."""
    first = run(shell, "--run", "task-1", code="print('loss: 1')")
    second = run(shell, "--run", "task-1", code="print('loss: 0.1')")
    assert first["exp_id"] == second["exp_id"] == "task-1"
    assert second["loss"] == "1"
    assert len(shell.objects("log")) == 1


def test_a_detached_run_outlives_its_caller(shell):
    """It returns at once; `runs wait` gives the result."""
    done = run(shell, "--detach", code="import time; time.sleep(1); print('loss: 1')")
    assert done["run"]["state"] == "starting"
    assert shell.objects("runs", "wait", "000", "--timeout", "60")[0]["status"] == "baseline"


@pytest.mark.parametrize(
    ("code", "words", "exit_code"),
    [
        ("print('loss: 9')", (), 10),
        ("raise SystemExit(1)", (), 11),
        ("import time; time.sleep(9)", ("--timeout", "0.2"), 12),
        ("print('loss: 0.1')", ("--check", "after:false"), 13),
        ("print('loss: 0.1')", (), 0),
    ],
)
def test_strict_exit_codes_say_what_happened(shell, code, words, exit_code):
    """0 is a keep."""
    shell("commit", "-m", "base", "--metric", "1")
    (shell.folder / "train.py").write_text("another\n")
    done = process("run", "--strict", *words, "--", sys.executable, "-c", code, folder=shell.folder)
    assert done.returncode == exit_code, done.stderr


SEEDED = "import os; print('loss:', {} + int(os.environ['GITLINEAGE_SEED']) / 100)"


def test_replicates_are_judged_by_their_mean(shell):
    """A recipe whose mean is within the noise is no keep, whatever its luckiest run says."""
    run(shell, code="print('loss: 1')")
    shell.write(a="lucky")
    noisy = "import os; print('loss:', [0.9, 1.2, 0.95, 1.3, 1.0][int(os.environ['GITLINEAGE_SEED'])])"
    done = process("run", "--json", "--repeat", "5", "--", sys.executable, "-c", noisy, folder=shell.folder)
    rows = [told(json.loads(line)) for line in done.stdout.splitlines()]
    assert [row["status"] for row in rows] == ["discard"] * 5
    assert [row["seed"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert "sigma" in rows[0]["run"]["words"] or "does not beat" in rows[0]["run"]["words"]
    assert "the mean of 5 runs is 1.07" in shown(shell, "001")["verdict"]
    assert shell.objects("best")[0]["exp_id"] == "000"


def test_a_repetition_stops_when_it_is_decided(shell):
    """Three runs far from the best are enough, and all of them are keeps."""
    run(shell, code="print('loss: 9')")
    shell.write(a="far better")
    command = [sys.executable, "-c", SEEDED.format(1)]
    done = process("run", "--json", "--repeat", "9", "--", *command, folder=shell.folder)
    rows = [told(json.loads(line)) for line in done.stdout.splitlines()]
    assert [row["status"] for row in rows] == ["keep"] * 3
    assert "more than two sigma" in rows[0]["run"]["words"]


def test_revert_puts_the_parents_files_back(shell):
    """After a discard the working tree is the parent's again; what the run made stays."""
    run(shell, code="print('loss: 1')")
    before = (shell.folder / "train.py").read_text()
    (shell.folder / "train.py").write_text("worse\n")
    code = "open('made.txt', 'w').write('x'); print('loss: 2')"
    assert run(shell, "--revert", code=code)["status"] == "discard"
    assert (shell.folder / "train.py").read_text() == before
    assert (shell.folder / "made.txt").read_text() == "x"
    assert shell("diff", "001").count("worse") == 1


def test_revert_loses_no_unrecorded_change(shell):
    """What changed after the snapshot stays, and that is said."""
    run(shell, code="print('loss: 1')")
    (shell.folder / "train.py").write_text("worse\n")
    code = "open('train.py', 'w').write('unrecorded'); print('loss: 2')"
    done = process("run", "--revert", "--", sys.executable, "-c", code, folder=shell.folder)
    assert "were not put back" in done.stderr.decode()
    assert (shell.folder / "train.py").read_text() == "unrecorded"


def test_apply_brings_an_isolated_keep_into_the_working_tree(shell):
    """The files of the keep are there, and nothing else was lost."""
    (shell.folder / "train.py").write_text("print('loss: 0.1')\n")
    kept = run(shell, "--isolated", "--apply", "--", sys.executable, "train.py")
    assert (kept["status"], (shell.folder / "train.py").read_text()) == ("baseline", "print('loss: 0.1')\n")


def test_gpus_are_taken_by_one_run_at_a_time(shell, tmp_path, git):
    """Two runs at once see different devices; a third one waits."""
    subprocess.run(["git", "config", "lineage.gpus", "2"], cwd=shell.folder, check=True)
    place = {"TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "4,7"}
    first = begun(shell, "--gpus", "1", "--", sys.executable, "-c", WAITS.format(300), **place)
    code = "import os; print('loss:', os.environ['CUDA_VISIBLE_DEVICES'])"
    second = run(shell, "--gpus", "1", code=code, **place)
    assert (second["gpus"], second["loss"]) == ("7", "7")
    assert shown(shell, "000")["run"]["gpus"] == "4"
    too_many = process("run", "--gpus", "3", "--", "true", folder=shell.folder, **place)
    assert too_many.returncode == 1 and b"there are 2 here" in too_many.stderr
    shell("runs", "cancel", "000")
    first.wait(PATIENCE)
    both = run(shell, "--gpus", "2", "--field", "n=1", "--if-tried", "repeat", code="print('loss: 1')", **place)
    assert both["gpus"] == "4,7"


def test_a_run_that_lost_its_runner_and_never_began_is_given_up(shell):
    """A lease without a recorded trial leaves nothing behind; one whose command never began is no mystery."""
    leases = shell.folder / ".git/lineage/leases"
    leases.mkdir(parents=True)
    (leases / "000").write_text("")
    assert run(shell, code="print('loss: 1')")["exp_id"] == "000"
    assert list(leases.iterdir()) == []


def test_a_terminal_sees_the_output_live_without_what_it_would_act_upon(shell):
    """With the time it has run and the last score; escapes of the command are left out."""
    code = "import time; print('loss: 0.75 \\x1b]0;evil\\x07', flush=True); time.sleep(1.5)"
    text = on_terminal("run", "--", sys.executable, "-c", code, folder=shell.folder)
    assert "loss: 0.75" in text and "evil" not in text
    assert "loss 0.75]" in text and "baseline" in text


def test_what_is_piped_in_reaches_the_command(shell):
    """Standard input is the command's, as without us."""
    code = "import sys; print('loss:', sys.stdin.read())"
    words = [sys.executable, "-m", "gitlineage", "run", "--json", "--", sys.executable, "-c", code]
    done = subprocess.run(words, cwd=shell.folder, env=environment(), input=b"0.125", capture_output=True, check=True)
    assert told(json.loads(done.stdout))["loss"] == "0.125"


def test_a_run_in_a_folder_below_runs_there(shell):
    """Also where it is isolated."""
    (shell.folder / "sub").mkdir()
    (shell.folder / "sub/x").write_text("3")
    words = ["run", "--json", "--isolated", "--", sys.executable, "-c", "print('loss:', open('x').read())"]
    assert told(json.loads(process(*words, folder=shell.folder / "sub").stdout))["loss"] == "3"


def test_a_folder_that_is_no_repository_becomes_one(tmp_path):
    """As with `commit`, and it is said."""
    (tmp_path / "train.py").write_text("print('val_bpb: 1.5')\n")
    done = process("run", "--metric", "val_bpb", "--", sys.executable, "train.py", folder=tmp_path)
    assert done.returncode == 0
    assert b"made a git repository" in done.stderr and b"baseline" in done.stdout


def test_a_repetition_that_was_preempted_goes_on_where_it_was(shell):
    """The replicates that were made stay, the one that was stopped is made again, and all are judged together."""
    run(shell, code="print('loss: 9')")
    shell.write(a="better")
    flag = shell.folder.parent / "flag"
    code = (
        "import os, time; seed = int(os.environ['GITLINEAGE_SEED']); print('loss:', 1 + seed / 100)\n"
        f"if seed == 1 and not os.path.exists({str(flag)!r}):\n"
        f"    open({str(flag)!r}, 'w'); open(os.environ['READY'], 'w'); time.sleep(300)"
    )
    slurm = {"SLURM_JOB_ID": "78", "SLURM_RESTART_COUNT": "0"}
    words = ["--repeat", "3", "--", sys.executable, "-c", code]
    runner = begun(shell, *words, **slurm)
    runner.terminate()
    assert runner.wait(PATIENCE) == 143
    slurm["SLURM_RESTART_COUNT"] = "1"
    done = process("run", "--json", *words, folder=shell.folder, READY=f"{flag}2", **slurm)
    rows = [told(json.loads(line)) for line in done.stdout.splitlines()]
    assert [(row["exp_id"], row["seed"], row["status"]) for row in rows] == [
        ("001", "0", "keep"),
        ("002", "1", "keep"),
        ("003", "2", "keep"),
    ]


def test_a_second_interrupt_kills_what_ignored_the_first(shell):
    """Once is passed on; twice ends it."""
    code = f"import signal; signal.signal(2, signal.SIG_IGN); {WAITS.format(300)}"
    runner = begun(shell, "--grace", "300", "--", sys.executable, "-c", code)
    runner.send_signal(signal.SIGINT)
    record = shell.folder / ".git/lineage/runs/000/run.json"
    until(lambda: b'"interrupt"' in record.read_bytes())
    assert runner.poll() is None
    runner.send_signal(signal.SIGINT)
    assert runner.wait(PATIENCE) == 130
    assert shown(shell, "000")["failure"] == "interrupted"


def test_what_ignores_an_interrupt_is_ended_after_the_grace(shell):
    """One Ctrl-C is enough: the command is given its time, then it is ended."""
    code = f"import signal; signal.signal(2, signal.SIG_IGN); {WAITS.format(300)}"
    runner = begun(shell, "--grace", "0.5", "--", sys.executable, "-c", code)
    runner.send_signal(signal.SIGINT)
    assert runner.wait(PATIENCE) == 130
    assert shown(shell, "000")["failure"] == "interrupted"


def test_a_run_whose_runner_was_killed_while_it_ended_it_is_ended_by_the_next_one(shell):
    """Why it is ended was written down, so whoever resumes it goes on with that."""
    code = f"import signal; signal.signal(2, signal.SIG_IGN); {WAITS.format(300)}"
    runner = begun(shell, "--grace", "300", "--", sys.executable, "-c", code)
    runner.send_signal(signal.SIGINT)
    record = shell.folder / ".git/lineage/runs/000/run.json"
    until(lambda: b'"interrupt"' in record.read_bytes())
    runner.kill()
    runner.wait()
    plain = json.loads(record.read_bytes())
    plain["plan"]["limits"]["grace"] = 0.1
    record.write_text(json.dumps(plain))
    shell.run("runs", "resume", "000")
    assert shown(shell, "000")["failure"] == "interrupted"


NAMED = ["-c", "user.name=n", "-c", "user.email=n@example.org"]


def test_what_the_next_snapshot_would_not_have_is_not_told_as_made(shell):
    """A folder whose files are all ignored, what is plainly no recipe, a pipe, and a repository or worktree inside."""
    for words in (["add", "-A"], [*NAMED, "commit", "-q", "-m", "recipe"]):
        subprocess.run(["git", *words], cwd=shell.folder, check=True)
    (shell.folder / ".git/info/exclude").write_text("/tool/part/\n")
    code = (
        "import os, subprocess; os.makedirs('tool/part'); open('tool/part/x', 'w'); open('.env', 'w'); os.mkfifo('p');"
        "os.mkdir('__pycache__'); open('__pycache__/m.pyc', 'w'); subprocess.run(['git', 'init', '-q', 'inner']);"
        "subprocess.run(['git', 'worktree', 'add', '-q', '--detach', 'beside']); print('loss: 1')"
    )
    done = process("run", "--json", "--", sys.executable, "-c", code, folder=shell.folder)
    assert json.loads(done.stdout)["run"]["made"] == [], done.stderr


def test_what_is_in_a_repository_inside_is_not_said_to_be_the_same(shell):
    """What was tried is not refused where a snapshot does not tell all that runs."""
    inner = shell.folder / "inner"
    for words in (["init", "-q", str(inner)], ["-C", str(inner), *NAMED, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], check=True)
    words = ["run", "--", sys.executable, "-c", "print('loss: 1')"]
    assert process(*words, folder=shell.folder).returncode == 0
    assert process(*words, folder=shell.folder).returncode == 1  # its commit is in the tree, and nothing else in it
    (inner / "new.py").write_text("lr = 2")
    assert process(*words, folder=shell.folder).returncode == 0


def test_what_a_run_made_is_told_with_a_command_that_keeps_it_out(shell):
    """New files and folders that are not ignored; once the command was typed, the same trial is known again."""
    (shell.folder / ".git/info/exclude").write_text("*.log\n")
    (shell.folder / "lib").mkdir()
    (shell.folder / "lib/a.py").write_text("")
    code = (
        "import os; os.makedirs('out/deep'); os.mkdir('empty'); open('out/deep/x', 'w'); open('a b[1].csv', 'w');"
        "open('lib/new.txt', 'w'); open('x.log', 'w'); print('loss: 1')"
    )
    done = process("run", "--json", "--", sys.executable, "-c", code, folder=shell.folder)
    assert json.loads(done.stdout)["run"]["made"] == ["a b[1].csv", "lib/new.txt", "out/"]
    line = next(line for line in done.stderr.decode().splitlines() if "it made" in line)
    assert "it made a b[1].csv, lib/new.txt, out/, which the next snapshot would have" in line
    subprocess.run(line.split("`")[1], shell=True, cwd=shell.folder, check=True)
    shutil.rmtree(shell.folder / "empty")
    shutil.rmtree(shell.folder / "out")
    again = shell.run("run", "--", sys.executable, "-c", code)
    assert again.exit_code == 1 and "000" in again.stderr and "tried" in again.stderr


def test_files_of_the_snapshot_that_changed_come_back_by_the_command_that_is_told(shell):
    """A changed tracked file is named with what puts it back."""
    done = process("run", "--", sys.executable, "-c", "open('train.py', 'a').write('#')", folder=shell.folder)
    line = next(line for line in done.stderr.decode().splitlines() if "changed during the run" in line)
    assert "train.py" in line
    words = line.split("`")[1].split()
    assert words[:2] == ["gitlineage", "restore"]
    shell(*words[1:])
    assert (shell.folder / "train.py").read_text() == "print('loss: 0.5')\n"


def test_a_run_is_named_by_whatever_names_its_trial(shell):
    """By its number without zeros, as an exp id, as the best, by its commit."""
    oid = run(shell, code="print('loss: 0.5')")["oid"]
    for name in ("000", "0", "exp_000", "best", oid, oid[:9]):
        assert shown(shell, name)["exp_id"] == "000"
        assert "loss: 0.5" in shell("runs", "log", name)
    assert "no run" in shell.fails(1, "runs", "show", "nothing")


def test_a_run_in_the_middle_of_a_merge_is_warned_of(shell, git):
    """It runs, and its trial is of the files as they are; what is committed without a run is so, too."""
    (shell.folder / ".git/MERGE_HEAD").write_text("0" * 40 + "\n")
    recorded = process("commit", "-m", "by hand", "--metric", "2", folder=shell.folder)
    assert "git is in the middle of a merge here" in recorded.stderr.decode()
    done = process("run", "--", sys.executable, "-c", "print('loss: 1')", folder=shell.folder)
    assert "git is in the middle of a merge here" in done.stderr.decode()


def test_a_pipe_gets_what_the_command_prints(shell):
    """As a terminal does, without the line that a terminal shows the time in; as JSON the result is alone."""
    code = "import time; print('step \\x1b[31m1'); time.sleep(1.2); print('loss: 0.5')"
    done = process("run", "--", sys.executable, "-c", code, folder=shell.folder)
    assert done.stdout.decode().splitlines()[:2] == ["step 1", "loss: 0.5"]
    assert "baseline" in done.stdout.decode() and b"\r" not in done.stderr
    assert run(shell, "--if-tried", "repeat", code=code)["status"] == "discard"


def test_a_checkout_goes_away_once_its_artifacts_are_kept_and_stays_for_anything_else(shell):
    """What nobody has elsewhere is left where it is, and that is told."""
    code = "open('out.txt', 'w').write('x'); print('loss: 1')"
    kept = run(shell, "--isolated", "--artifact", "*.txt", code=code)
    assert not Path(kept["run"]["folder"]).exists() and "out.txt" in kept["artifacts"]
    words = ["--if-tried", "repeat", "--isolated", "--", sys.executable, "-c", code]
    done = process("run", "--json", *words, folder=shell.folder)
    folder = Path(json.loads(done.stdout)["run"]["folder"])
    assert f"what it made is in {folder}" in done.stderr.decode()
    assert (folder / "out.txt").read_text() == "x"
    shutil.rmtree(folder)


def test_a_run_that_cannot_be_recorded_keeps_no_other_from_being_run(shell):
    """A lost run whose record is of no use is told of, and the next one runs."""
    runner = begun(shell, "--", sys.executable, "-c", WAITS.format(300))
    number = int((shell.folder / ".git/lineage/runs/000/process").read_text())
    runner.kill()
    os.killpg(number, signal.SIGKILL)
    runner.wait()
    (shell.folder / ".git/lineage/runs/000/run.json").write_text("{")
    assert run(shell, code="print('loss: 1')")["status"] == "baseline"
