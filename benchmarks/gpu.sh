#!/bin/sh
# Everything that wants a GPU, on a machine with one: the tests marked `gpu`, then the training benchmark.
#
#   sh benchmarks/gpu.sh [FOLDER]        # FOLDER, by default runs/gpu, gets tests.txt, train-560m.txt and train-560m.json
#
# Under 10 minutes. PYTHON names another interpreter, MINUTES the benchmark's time. Needs torch; with pytest, hypothesis,
# pydantic, pyarrow, lightning and transformers it does all it can, and tells what is missing.
set -u
cd "$(dirname "$0")/.." || exit 2
out=${1:-runs/gpu}
python=${PYTHON:-python3}
PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH PYTHONUNBUFFERED=1
mkdir -p "$out"
marked=$(grep -rl --include='test_*.py' 'mark\.gpu' tests)
# shellcheck disable=SC2086  # a list of files
timeout 110 "$python" -m pytest -q -m gpu $marked > "$out/tests.txt" 2>&1
tests=$?
tail -n 15 "$out/tests.txt"
"$python" benchmarks/train_560m.py --minutes "${MINUTES:-7.5}" --json "$out/train-560m.json" > "$out/train-560m.txt"
bench=$?
cat "$out/train-560m.txt"
[ "$tests" -eq 0 ] || echo "tests: exit $tests" >&2
exit $((tests ? tests : bench))
