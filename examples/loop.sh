#!/bin/sh
# The whole loop: start from the best, change one number, run, keep or revert. Call it in a repository with a train.py:
#   gitlineage init --metric loss --lower-is-better && sh examples/loop.sh 0.01 0.02 0.05
set -eu
for lr in "$@"; do
  sed "s/^lr = .*/lr = $lr/" train.py > train.new && mv train.new train.py
  gitlineage run -m "lr = $lr" --timeout 10m --if-tried warn -- python3 train.py
  gitlineage restore best > /dev/null
done
gitlineage leaderboard
