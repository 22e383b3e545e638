"""
One command, one trial: it runs with its snapshot, its pending trial and its lease made before it starts.

Imports `store`, `bridge` and what is below; the command line and the agents' doors call it. Start with `trial`:
``run(store, plan)`` runs a command here and returns the `Run` that it became, ``start(store, plan)`` leaves it to a
process of its own. `records` has the words: a `Plan` is what is wanted, a `Run` what became of it.

```
trial      run, repeat, start: one trial by one command
records    Plan, Limits, Run, Found, Facts: what is asked for, and what is known of a run
begin      the snapshot, the pending trial, the folder and the lease, from one landing
supervise  the command while it runs, within its limits
finish     from what is in the folder to the result
lease      where a run's files are, who holds it, which ones nobody holds any more
gate       whether it was tried before
place      where the command runs; what changed meanwhile of what should not
process    the command's processes: started, watched, ended to the last one
output     the log: its phases and metrics as they come, its bound, its cleaned tail
metric     which score the run gave, and where it was found
outcome    what happened, as a status, a failure and words
check      what a command is started with, and the checks before and after it
cgroup     the kernel's bound on memory, and whom it killed
gpus       devices that are free, by lock files
resume     what became of runs whose runner is gone; wait, cancel, go on
after      the working tree afterwards: the parent's files back, or a keep's brought in
prune      the files of old runs, taken away
watch      who is told how a run goes on, and what its process is asked to do meanwhile
```

How it survives. The process that the user started supervises the command itself; nothing stands between. A run that is
left to itself (``start``) is supervised by an interpreter of its own, by the same code. The command is in a session of
its own below a shell of four lines, writes straight to the log, and its exit code is written by that shell, so that
neither needs whoever supervises. Before the command starts there is, from one landing under the store's lock, a pending
trial, the run's folder with ``run.json``, and a lease: a file with a lock that the kernel frees when its last holder
dies. The shell inherits the lease until it has written its own number down. So at every moment of a kill one of these
holds:

- no pending trial: nothing was recorded, and what is in the run's folder is nobody's;
- a pending trial whose lease is held: somebody supervises it;
- a pending trial whose lease nobody holds: whoever comes next finds the command by its number (and what it forked by
  the cookie in their environment), goes on supervising it while it lives, and records its end from what is in the
  folder. Why a command is being ended is written down before it is sent a signal, so all come to the same outcome;
- a trial with a result: the lease is only still to be removed.

The result revises the pending row of the same exp id on the same snapshot, so two who record it record one trial.
"""
