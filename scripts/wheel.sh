#!/usr/bin/env bash
# wheel.sh [PLATFORM…]: builds the Python wheel with the program in it into build/wheels, for this machine, or for each platform that is
# named (linux/amd64, linux/arm64, darwin/amd64, darwin/arm64, windows/amd64), or for all of them. Prints the path of each.
# The same sources and the same Go give the same bytes, wherever and whenever they are built; SOURCE_DATE_EPOCH sets the time in the wheel.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "wheel.sh: Go $(sed -n 's/^go //p' go.mod) or newer is needed on PATH" >&2; exit 1; }

wanted=$(sed -n 's/^requires = \["\(hatchling==.*\)"\]$/\1/p' python/pyproject.toml)
if [ "$(cat build/hatch/complete 2>/dev/null)" != "$wanted" ]; then
  python=.venv/bin/python # of an age that is known
  if [ ! -x $python ]; then python=python3; fi
  rm -rf build/hatch
  $python -m venv build/hatch
  ./scripts/pip.sh build/hatch "$wanted"
  echo "$wanted" >build/hatch/complete
fi

platforms=("$@")
case ${1:-} in
  '') platforms=("$(go env GOHOSTOS)/$(go env GOHOSTARCH)") ;;
  all) platforms=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64) ;;
esac
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1580601600}
umask 022
mkdir -p build/wheels
new=$(mktemp -d build/wheels/new.XXXXXX)
trap 'rm -rf "$new"' EXIT
for platform in "${platforms[@]}"; do
  (cd python && WHEEL_PLATFORM=$platform ../build/hatch/bin/python -m hatchling build -t wheel -d "../$new" >&2)
  for wheel in "$new"/*.whl; do
    mv "$wheel" build/wheels
    echo "$PWD/build/wheels/${wheel##*/}"
  done
done
