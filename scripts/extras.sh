#!/usr/bin/env bash
# extras.sh: makes in build/extras what packages have beside the program: completion of three shells, the manual page, and the
# licences. The program for this machine is build/extras/program.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/extras
./scripts/program.sh build/extras/program
for shell in bash zsh fish; do
  build/extras/program completion "$shell" >"build/extras/completion.$shell"
done
build/extras/program man | gzip -9n >build/extras/mlflow-oidc-auth.1.gz
{
  printf 'mlflow-oidc-auth is licensed as follows, and what it is built of as said after that.\n\n'
  cat LICENSE
  ./scripts/licences.sh
} >build/extras/copyright
