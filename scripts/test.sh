#!/usr/bin/env bash
# Brings all that the tests need and runs all of them: the Go tests with the race detector on, and then the ones from end to
# end, with the mlflow client and a browser.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "test.sh: Go 1.26 or newer is needed on PATH" >&2; exit 1; }

# install PACKAGE: installs a Debian package, or says that it is missing.
install() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "test.sh: something is missing on PATH: install the package $1" >&2
    exit 1
  fi
  echo "test.sh: installing $1" >&2
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$1" >/dev/null
}

# package NAME COMMAND…: installs a Debian package when none of the commands is there.
package() {
  local name=$1
  shift
  for command in "$@"; do
    if command -v "$command" >/dev/null; then return; fi
  done
  install "$name"
}
package redis-server redis-server
package postgresql postgres /usr/lib/postgresql/*/bin/postgres
package mariadb-server mariadbd /usr/sbin/mariadbd
export TEST_DATABASES=required # a test that finds no server fails, where it would be skipped
package build-essential gcc cc # the race detector needs a C compiler
package curl curl
package procps ps
package chromium chromium chromium-browser google-chrome
if [ ! -x .venv/bin/python ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then install python3-venv; fi
for older in '' 2.22.0 3.5.0; do ./scripts/mlflow.sh $older; done
./scripts/providers.sh
./scripts/plugin.sh || [ $? = 3 ] # without a Python for it, nothing is compared, and the test says so
if ! cmp -s test/e2e/requirements.txt .venv/e2e; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r test/e2e/requirements.txt >&2
  cp test/e2e/requirements.txt .venv/e2e
fi

# What only computes is compiled without the race detector, which takes half of the time there and says nothing of this program:
# SQLite, which is C turned into Go and keeps its data where the detector does not look, and hashes and ciphers. The driver of
# SQLite keeps the detector, without the checks of its pointers. Of several patterns that match, the last counts.
without_race=(-gcflags=modernc.org/...=-d=checkptr=0)
for computing in modernc.org/{sqlite/lib,libc/...,memory} golang.org/x/crypto/... crypto/internal/fips140/...; do
  without_race+=("-gcflags=$computing=-race=false")
done

go vet ./...
results=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$results"' EXIT
status=0
# Both at once: most of the time either waits for an MLflow that keeps one processor busy.
go test -race "${without_race[@]}" -json -timeout 40m ./... >"$results/go.json" &
go=$!
.venv/bin/python -m pytest -q --junitxml "$results/python.xml" test/e2e || status=$?
wait "$go" || status=$?
# What is small, or left out, with the race detector on: an import, and a million grants, at their full size.
go test -count=1 -json -timeout 15m -run 'TestLargeDatabaseOfThePlugin|TestMillionGrants' ./internal/importer ./internal/directory >>"$results/go.json" || status=$?
go run ./scripts/testcount "$results/go.json" "$results/python.xml"
exit "$status"
