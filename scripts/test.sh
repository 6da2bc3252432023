#!/usr/bin/env bash
# Brings all that the tests need and runs all of them, with the race detector on.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "test.sh: Go 1.26 or newer is needed on PATH" >&2; exit 1; }

# package NAME COMMAND: installs a Debian package when its command is missing.
package() {
  command -v "$2" >/dev/null && return
  echo "test.sh: installing $1" >&2
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "test.sh: $2 is needed on PATH: install the package $1" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$1" >/dev/null
}
package redis-server redis-server
./scripts/mlflow.sh

go vet ./...
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
go test -race -json -timeout 20m ./... >"$log" || status=$?
go run ./scripts/testcount "$log"
exit "$status"
