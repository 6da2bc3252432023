#!/usr/bin/env bash
# Brings all that the tests need and runs all of them, with the race detector on.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "test.sh: Go 1.26 or newer is needed on PATH" >&2; exit 1; }
go vet ./...
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
go test -race -json -timeout 20m ./... >"$log" || status=$?
go run ./scripts/testcount "$log"
exit "$status"
