#!/usr/bin/env bash
# program.sh FILE [SYSTEM ARCHITECTURE]: builds the program as it is released into FILE, for this machine or for linux amd64, darwin arm64 and so on, by
# Go's names. Nothing of where and when it is built is in it: the same sources and the same Go give the same bytes. .goreleaser.yaml does so too.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "program.sh: Go $(sed -n 's/^go //p' go.mod) or newer is needed on PATH" >&2; exit 1; }
export CGO_ENABLED=0 GOFLAGS='' GOAMD64=v1 GOARM64=v8.0
GOOS=${2:-$(go env GOHOSTOS)} GOARCH=${3:-$(go env GOHOSTARCH)} go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$1" ./cmd/mlflow-oidc-auth
