#!/bin/sh
# What wants a GPU, on a machine with one: the tests marked `gpu` (up to 5 minutes), then the training benchmark (8).
#
#   sh benchmarks/gpu.sh [FOLDER [tests|bench]]      # FOLDER, by default runs/gpu, gets the tables; both, or one of them
#
# PYTHON names another interpreter, MINUTES the benchmark's time. Needs torch; with pytest, hypothesis, pydantic, lightning
# and transformers it does all it can, and tells what is missing.
set -u
out=${1:-runs/gpu} what=${2:-both} python=${PYTHON:-python3} wrong=0
mkdir -p "$out" && out=$(cd "$out" && pwd) && cd "$(dirname "$0")/.." || exit 2
PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH PYTHONUNBUFFERED=1
if [ "$what" != bench ]; then
  # shellcheck disable=SC2046  # a list of files
  timeout 300 "$python" -m pytest -q -rs -m gpu $(grep -rl --include='test_*.py' 'mark\.gpu' tests) > "$out/tests.txt" 2>&1 || wrong=1
  tail -n 25 "$out/tests.txt"
fi
if [ "$what" != tests ]; then
  "$python" benchmarks/train_560m.py --minutes "${MINUTES:-8}" --json "$out/train-560m.json" > "$out/train-560m.txt" || wrong=1
  cat "$out/train-560m.txt"
fi
exit "$wrong"
