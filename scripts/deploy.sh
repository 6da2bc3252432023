#!/usr/bin/env bash
# deploy.sh COMMAND ARGUMENT…: runs go in deploy/check, as in: deploy.sh test ./... What it is built of is compiled without optimization,
# which takes half of the time, and with the packages of Go as those of a release, which are there already.
set -euo pipefail
cd "$(dirname "$0")/../deploy/check"
command=$1
shift
if [ "$command" = test ]; then set -- -count=1 -vet=off "$@"; fi # go does not see when files outside of the module change; vet would look at all libraries
quickly=()
for built in k8s.io sigs.k8s.io github.com golang.org/x gopkg.in charm.land go.yaml.in google.golang.org; do
  quickly+=("-gcflags=$built/...=-N -l -dwarf=false")
done
CGO_ENABLED=0 exec go "$command" -trimpath -buildvcs=false "${quickly[@]}" '-ldflags=-s -w' "$@"
