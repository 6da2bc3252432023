#!/usr/bin/env bash
# Looks at the source with the linters of .golangci.yml, and for vulnerabilities that are known. --all does the first by golangci-lint itself,
# which takes minutes to build. Other arguments are flags of go vet, such as -race: what is compiled with them already is not compiled again.
# VULNDB names another database of vulnerabilities than Go's own, such as file:///mirror.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --all ]; then exec go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...; fi

mkdir -p build
go build -C scripts/lint -o ../../build/ . golang.org/x/vuln/cmd/govulncheck
go vet "$@" -vettool="$PWD/build/lint" -json ./... | build/lint
go test -C scripts/lint . >&2

status=0
said=$(build/govulncheck ${VULNDB:+-db "$VULNDB"} ./cmd/mlflow-oidc-auth 2>&1) || status=$?
if [ "$status" != 0 ]; then printf '%s\n' "$said" >&2; fi
if [ "$status" = 1 ] && [[ $said == *"fetching vulnerabilities"* ]]; then
  echo "lint.sh: NOT CHECKED: the database of vulnerabilities cannot be reached, and nobody has looked whether what is used here has any" >&2
  exit
fi
exit "$status"
