#!/usr/bin/env bash
# Compares the gateway with a bare reverse proxy and with no proxy: latency, allocations, SQL, memory. Takes under two
# minutes; -rounds 200 (or more) steadies the numbers on a busy machine, -h lists what else can be set.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "bench.sh: Go 1.26 or newer is needed on PATH" >&2; exit 1; }
exec go run ./scripts/bench "$@"
