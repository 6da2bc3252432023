#!/usr/bin/env bash
# Brings all that the tests need and runs all of them: the Go tests with the race detector on, and then the ones from end to
# end, with the mlflow client and a browser.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "test.sh: Go 1.26 or newer is needed on PATH" >&2; exit 1; }

./scripts/debian.sh redis-server=redis-server postgresql=postgres,/usr/lib/postgresql/*/bin/postgres mariadb-server=mariadbd,/usr/sbin/mariadbd \
  build-essential=gcc,cc curl=curl procps=ps man-db=man adduser=adduser systemd=systemd-analyze openssl=openssl ca-certificates=update-ca-certificates \
  nginx=nginx,/usr/sbin/nginx chromium=chromium,chromium-browser,google-chrome # the race detector needs a C compiler
if [ ! -x .venv/bin/python ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then ./scripts/debian.sh python3-venv=; fi
export TEST_DATABASES=required # a test that finds no server fails, where it would be skipped
# What is compiled for a run without the race detector is compiled as packages are, and so once.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"
unset PYTHONDONTWRITEBYTECODE # MLflow is started some thirty times, and compiled once

# What only computes is compiled without the race detector, which takes half of the time there and says nothing of this program:
# SQLite, which is C turned into Go and keeps its data where the detector does not look, and hashes and ciphers. The driver of
# SQLite keeps the detector, without the checks of its pointers. Of several patterns that match, the last counts.
without_race=(-gcflags=modernc.org/...=-d=checkptr=0)
for computing in modernc.org/{sqlite/lib,libc/...,memory} golang.org/x/crypto/... crypto/internal/fips140/...; do
  without_race+=("-gcflags=$computing=-race=false")
done

results=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$results"' EXIT

# environments makes the environments with MLflow.
environments() {
  for older in '' 2.22.0 3.5.0; do ./scripts/mlflow.sh $older; done
  if ! cmp -s test/e2e/requirements.txt .venv/e2e; then
    ./scripts/pip.sh .venv -r test/e2e/requirements.txt
    cp test/e2e/requirements.txt .venv/e2e
  fi
  ./scripts/plugin.sh || [ $? = 3 ] # without a Python for it, nothing is compared, and the test says so
}

# All at once: most of it waits for the network. What is compiled to be looked at is what the tests need too.
environments &
python=$!
./scripts/providers.sh &
providers=$!
./scripts/web.sh --check & # and with that, what the tests of the pages need
web=$!
CGO_ENABLED=1 ./scripts/lint.sh -race "${without_race[@]}"
./scripts/vuln.sh 2> >(tee "$results/vuln" >&2)
wait "$python"
./scripts/docs.sh &
docs=$!
wait "$providers"
wait "$web"
wait "$docs"

status=0
# Both at once: most of the time either waits for an MLflow that keeps one processor busy.
CGO_ENABLED=1 go test -race "${without_race[@]}" -json -timeout 40m ./... >"$results/go.json" &
go=$!
.venv/bin/python -m pytest -q -m 'not alone' --junitxml "$results/python.xml" test/e2e || status=$?
wait "$go" || status=$?
./scripts/deploy.sh test -json ./... >>"$results/go.json" || status=$?
# What is small, or left out, with the race detector on: an import, a million grants, and lists, at their full size.
go test -count=1 -json -timeout 15m -run 'TestLargeDatabaseOfThePlugin|TestMillionGrants|TestListsAtScale' ./internal/importer ./internal/directory ./internal/api >>"$results/go.json" || status=$?
.venv/bin/python -m pytest -q -m alone --junitxml "$results/alone.xml" test/e2e || status=$? # what measures, with nothing beside it
grep "NOT CHECKED" "$results/vuln" >&2 || true # again, where it is seen
go run ./scripts/testcount "$results/go.json" "$results/python.xml" "$results/alone.xml"
exit "$status"
