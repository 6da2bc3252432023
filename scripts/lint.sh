#!/usr/bin/env bash
# Looks at the source with the linters of .golangci.yml. --all does so by golangci-lint itself, which takes minutes to build. Other arguments are
# flags of go vet, such as -race: what is compiled with them already is not compiled again.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --all ]; then exec go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...; fi

mkdir -p build
CGO_ENABLED=0 go build -C scripts/lint -o ../../build/ .
go vet "$@" -vettool="$PWD/build/lint" -json ./... | build/lint
CGO_ENABLED=0 go test -C scripts/lint . >&2
