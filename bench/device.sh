#!/usr/bin/env bash
# Four minutes on a machine with a GPU: does every method keep the contract there, and is it faster than on the CPU?
# From the root of the checkout:   bash bench/device.sh [cuda] [FOLDER FOR LOGS AND ROWS]
# Each step has a limit of its own, so that one that fails leaves the others their time; `cpu` rehearses on small sizes.
set -uo pipefail
device=${1:-cuda} out=${2:-$(mktemp -d)}
rows=$out/rows.jsonl quick=() here=$(dirname "$0")
[ "$device" = cpu ] && quick=(--quick)
python=${PYTHON:-python3}
export PYTHONUNBUFFERED=1 PYTHONPATH=.:${PYTHONPATH:-} XLA_PYTHON_CLIENT_PREALLOCATE=false
mkdir -p "$out"
: > "$rows"
step() { # SECONDS NAME COMMAND...
    local limit=$1 name=$2 began=$SECONDS
    shift 2
    timeout -s INT -k 5 "$limit" "$@" > "$out/$name.log" 2>&1
    echo "$name: status $? after $((SECONDS - began)) of $limit s; $(tail -1 "$out/$name.log")"
}
for part in grid ratings svi; do # compiled meanwhile, so that the clocks below find nothing to compile
    timeout -k 5 75 "$python" "$here/device.py" $part /dev/null --device cpu --quick > "$out/compiled_$part.log" 2>&1 &
done
CROSSCHECK_DEVICE=$device step 75 contract "$python" -m pytest -q -n 8 --tb short -m "slow or not slow" -p no:cacheprovider tests/inference/test_device.py
wait
step 40 grid "$python" "$here/device.py" grid "$rows" --device "$device" "${quick[@]}"
step 50 ratings "$python" "$here/device.py" ratings "$rows" --device "$device" "${quick[@]}"
step 40 svi "$python" "$here/device.py" svi "$rows" --device "$device" "${quick[@]}"
step 40 pgmax "$python" "$here/device.py" pgmax "$rows" --device "$device" "${quick[@]}"
step 40 numpyro "$python" "$here/device.py" numpyro "$rows" --device "$device" "${quick[@]}"
grep -E "^(FAILED|ERROR)|^E  |Error" "$out"/*.log | cut -c1-200 | head -60
"$python" "$here/device.py" table "$rows"
