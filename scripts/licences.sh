#!/usr/bin/env bash
# licences.sh: prints the licences of all that the program is built of, on any system, which ask to go along with it.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS='' LC_ALL=C

# licences prints those that are in a folder, for what has the name.
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
    echo "licences.sh: $1 has no licence in $2" >&2
    exit 1
  fi
}

# Some packagers of Go keep its licence elsewhere. The Go Authors' other modules have the same.
go=$(go env GOROOT)
if [ ! -f "$go/LICENSE" ]; then go=$(go list -m -f '{{.Dir}}' golang.org/x/crypto); fi
licences Go "$go"
for system in linux darwin windows; do
  GOOS=$system go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}' ./cmd/mlflow-oidc-auth
done | sort -u | while IFS=$'\t' read -r name folder; do
  if [ -n "$name" ]; then licences "$name" "$folder"; fi
done
printf -- '--------------------------------------------------------------------------------\nThe web pages\n\n'
cat internal/ui/dist/licenses.md
