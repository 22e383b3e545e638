#!/bin/bash
#SBATCH --array=1-4
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
# One trial a task, each in a clone of its own that reads the objects of one clone on the shared disk:
#   gitlineage clone URL campaign && sbatch examples/slurm_array.sh "$PWD/campaign" 0.01 0.02 0.05 0.1
# A task that is requeued goes on as the same trial, because --run names it. Where the nodes reach no remote, OFFLINE=1 has
# each task leave a bundle in campaign/bundles: `gitlineage import bundle campaign/bundles/*` takes it in where there is one.
set -eu
campaign=$1
lr=${*:SLURM_ARRAY_TASK_ID+1:1}
task="s$SLURM_ARRAY_JOB_ID-$SLURM_ARRAY_TASK_ID"
clone=${SCRATCH:-$(dirname "$campaign")}/$task
url=$campaign
[ -n "${OFFLINE:-}" ] || url=$(git -C "$campaign" config remote.origin.url)

if [ ! -e "$clone/.git/begun" ]; then
  gitlineage clone "$url" "$clone" --writer "$task" --reference "$campaign"
  cd "$clone"
  gitlineage restore best
  sed -i "s/^lr = .*/lr = $lr/" train.py
  touch .git/begun
fi
cd "$clone"
# The signal before the time is over goes on to the run, which leaves its trial to the requeued task.
gitlineage run --run "$task" -m "lr = $lr" --specialist slurm --if-tried warn -- python3 train.py &
trap 'kill -TERM $!; wait $!' TERM
wait $!
if [ -n "${OFFLINE:-}" ]; then
  mkdir -p "$campaign/bundles"
  gitlineage export bundle "$campaign/bundles/$task.bundle"
else
  gitlineage push
fi
