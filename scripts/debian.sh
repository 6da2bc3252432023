#!/usr/bin/env bash
# debian.sh PACKAGE=COMMAND[,COMMAND…]…: installs those of the Debian packages of which no command is there, all at once, or says
# what is missing.
set -euo pipefail

# there COMMAND…: whether one of the commands is there.
there() {
  for command in "$@"; do
    if command -v "$command" >/dev/null; then return; fi
  done
  return 1
}

missing=()
for wanted in "$@"; do
  # shellcheck disable=SC2046,SC2086 # a list of commands, and a pattern in the path of one
  if ! there $(tr , ' ' <<<${wanted#*=}); then missing+=("${wanted%%=*}"); fi
done
if [ ${#missing[@]} = 0 ]; then exit; fi
if [ "$(id -u)" != 0 ] || ! there apt-get; then
  echo "debian.sh: something is missing on PATH; on Debian and Ubuntu: apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "debian.sh: installing ${missing[*]}" >&2
apt-get -o DPkg::Lock::Timeout=300 update -qq
DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
