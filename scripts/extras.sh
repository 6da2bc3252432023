#!/usr/bin/env bash
# extras.sh: makes in build/extras what packages have beside the program: completion of three shells, the manual page, and the
# licences of all that the program is built of, which ask to go along with it. The program for this machine is build/extras/program.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
mkdir -p build/extras
go build -trimpath -buildvcs=false -ldflags='-s -w' -o build/extras/program ./cmd/mlflow-oidc-auth
for shell in bash zsh fish; do
  build/extras/program completion "$shell" >"build/extras/completion.$shell"
done
build/extras/program man | gzip -9n >build/extras/mlflow-oidc-auth.1.gz

# licences prints those of a module's folder.
licences() {
  local file any=
  for file in "$2"/*; do
    case $(basename "$file" | tr '[:lower:]' '[:upper:]') in LICENSE* | LICENCE* | COPYING* | NOTICE*) ;; *) continue ;; esac
    if [ ! -f "$file" ]; then continue; fi
    any=yes
    printf -- '--------------------------------------------------------------------------------\n%s: %s\n\n' "$1" "$(basename "$file")"
    cat "$file"
  done
  if [ -z "$any" ]; then
    echo "extras.sh: $1 has no licence in $2" >&2
    exit 1
  fi
}
{
  printf 'mlflow-oidc-auth is licensed as follows, and what it is built of as said after that.\n\n'
  cat LICENSE
  licences Go "$(go env GOROOT)"
  go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}' ./cmd/mlflow-oidc-auth | sort -u |
    while IFS=$'\t' read -r name folder; do
      if [ -n "$name" ]; then licences "$name" "$folder"; fi
    done
} >build/extras/copyright
