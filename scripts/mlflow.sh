#!/usr/bin/env bash
# Makes the project's own Python environment, .venv, with MLflow and what the tests of its clients need.
# Does nothing when it is there already with the right versions.
set -euo pipefail
cd "$(dirname "$0")/.."

version=3.17.2
say() { echo "mlflow.sh: $*" >&2; }

if [ -x .venv/bin/python ] && [ "$(cat .venv/complete 2>/dev/null)" = "$version" ]; then
  exit 0
fi
python=
for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
  if [ -n "$candidate" ] && command -v "$candidate" >/dev/null &&
    "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  say "Python 3.10 or newer with its venv module is needed on PATH (on Debian and Ubuntu: apt-get install python3 python3-venv)"
  exit 1
fi
say "installing MLflow $version into .venv; this takes a minute or two the first time"
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check "mlflow[auth,genai]==$version" 'pytest==9.2.0' >&2
echo "$version" > .venv/complete
say "done"
