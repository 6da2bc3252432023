#!/usr/bin/env bash
# Makes .plugin, a Python environment with the Python plugin that this project takes the place of, to be compared with. It needs a
# Python of its own: the plugin runs with 3.12 and newer alone. Does nothing when it is there already with the right version.
set -euo pipefail
cd "$(dirname "$0")/.."

version=11.0.2
wanted="mlflow-oidc-auth[full]==$version mlflow==3.17.2"
say() { echo "plugin.sh: $*" >&2; }

if [ -x .plugin/bin/python ] && [ "$(cat .plugin/complete 2>/dev/null)" = "$wanted" ]; then exit; fi
python='' # a shim of pyenv is there for versions that nobody has chosen, and does not run
for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3 "$(pyenv root 2>/dev/null || true)"/versions/3.1[2-9]*/bin/python3; do
  if [ -n "$candidate" ] && command -v "$candidate" >/dev/null && "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  say "Python 3.12 or newer with its venv module was not found: nothing will be compared with the Python plugin"
  exit 3
fi
say "installing the Python plugin $version into .plugin; this takes a minute or two the first time"
rm -rf .plugin
"$python" -m venv .plugin
# shellcheck disable=SC2086
./scripts/pip.sh .plugin $wanted
echo "$wanted" > .plugin/complete
say "done"
