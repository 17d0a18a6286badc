#!/usr/bin/env bash
# Two machines, as network namespaces, and the link between them is cut in the middle of a fit: how long until every
# rank has said so. Root on Linux, from the root of the checkout:   bash bench/cut_link.sh [SECONDS BEFORE THE CUT]
set -euo pipefail
at=$(mktemp -d)
run=(--nnodes 2 --nproc-per-node 1 --rdzv-backend static --rdzv-endpoint 10.77.0.1:29455 --master-addr 10.77.0.1 --master-port 29455
     run.py --problem 3 --ratings examples/ratings.csv --bare --kernel row_gibbs --sweeps 1000000 --out "$at/out")
undo() { kill $(jobs -p) 2> /dev/null || true; ip netns del crosscheck0 || true; ip netns del crosscheck1 || true; }
trap undo EXIT
for k in 0 1; do ip netns add crosscheck$k; ip -n crosscheck$k link set lo up; done
ip link add cc0 netns crosscheck0 type veth peer name cc1 netns crosscheck1
for k in 0 1; do
    ip -n crosscheck$k addr add 10.77.0.$((k + 1))/24 dev cc$k
    ip -n crosscheck$k link set cc$k up
done
for k in 0 1; do
    GLOO_SOCKET_IFNAME=cc$k ip netns exec crosscheck$k torchrun --node-rank $k "${run[@]}" > "$at/$k" 2>&1 &
done
sleep "${1:-40}"
ip -n crosscheck1 link set cc1 down
cut=$(date +%s)
for k in 0 1; do
    until grep -q "^error" "$at/$k" || [ $(($(date +%s) - cut)) -gt 60 ]; do sleep 0.2; done
    echo "rank $k, after $(($(date +%s) - cut)) s: $(grep "^error" "$at/$k" || echo nothing)"
done
