#!/usr/bin/env bash
# pip.sh ENVIRONMENT ARGUMENT…: installs Python packages into an environment, with arguments of pip install. By uv, which takes a
# tenth of the time; by pip itself if uv cannot be had, or does not come through: it knows nothing of pip's settings.
set -euo pipefail
environment=$1
shift
pip() { "$environment/bin/python" -m pip --quiet --disable-pip-version-check install "$@" >&2; }
uv=$environment/bin/uv
if [ -x "$uv" ] || pip --only-binary :all: uv==0.13.9; then
  if "$uv" pip install --quiet --python "$environment/bin/python" "$@" >&2; then exit; fi
  echo "pip.sh: that was uv; now pip tries" >&2
fi
pip "$@"
