#!/usr/bin/env bash
# Makes the project's own Python environment, .venv, with MLflow and what the tests of its clients need. With an older version
# as its argument it makes .mlflow/VERSION beside it, which has that MLflow and takes all else from .venv.
# Does nothing when it is there already with the right versions.
set -euo pipefail
cd "$(dirname "$0")/.."

version=3.17.2
say() { echo "mlflow.sh: $*" >&2; }

# newest makes .venv.
newest() {
  if [ -x .venv/bin/python ] && [ "$(cat .venv/complete 2>/dev/null)" = "$version" ]; then return; fi
  local python='' candidate
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
  ./scripts/pip.sh .venv "mlflow[auth,genai]==$version" 'pytest==9.2.0'
  echo "$version" > .venv/complete
  say "done"
}

# older VERSION makes .mlflow/VERSION: an environment whose own packages come before those of .venv. It installs those alone
# whose newer versions that MLflow does not run with.
older() {
  local dir=.mlflow/$1 site rest
  local packages=("mlflow==$1" "mlflow-skinny==$1" 'sqlalchemy<2.1' 'protobuf<7')
  case $1 in
    2.*) packages+=('opentelemetry-api==1.32.1' 'opentelemetry-sdk==1.32.1' 'opentelemetry-semantic-conventions==0.53b1') ;; # newer ones end no span of 2.x
    *) packages+=("mlflow-tracing==$1") ;; # a package of its own since 3.0
  esac
  rest=$(cd .venv && pwd -P) # the environment may have been moved or linked since
  if [ -x "$dir/bin/python" ] && [ "$(cat "$dir/complete" 2>/dev/null)" = "${packages[*]} $rest" ]; then return; fi
  say "installing MLflow $1 into $dir"
  rm -rf "$dir"
  .venv/bin/python -m venv --without-pip "$dir"
  site=$("$dir/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  ./scripts/pip.sh .venv --no-deps --target "$site" "${packages[@]}"
  .venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$site/rest.pth"
  echo "${packages[*]} $rest" > "$dir/complete"
  say "done"
}

newest
if [ $# -gt 0 ]; then older "$1"; fi
