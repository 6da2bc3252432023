#!/usr/bin/env bash
# Runs the gateway with MLflow, an OpenID provider that asks for no password, and sample data. Ctrl-C stops everything.
# Needs Go and Python. Arguments go to the development server; --help lists them.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v go >/dev/null; then
  echo "run-dev-server.sh: Go is needed on PATH (version $(sed -n 's/^go //p' go.mod) or newer)" >&2
  exit 1
fi
mlflow=$(command -v mlflow || true)
if [ -z "$mlflow" ]; then
  ./scripts/mlflow.sh
  mlflow=$PWD/.venv/bin/mlflow
fi
echo "run-dev-server.sh: building" >&2
go build -o bin/ ./cmd/...
exec bin/mlflow-oidc-auth-dev -mlflow "$mlflow" "$@"
