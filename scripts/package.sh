#!/usr/bin/env bash
# package.sh [ARCHITECTURE]: builds the Debian package for this machine, or for amd64 or arm64, into build/packages, and prints its
# path. What is in it is said by .goreleaser.yaml. The same sources and the same Go give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=${1:-$(go env GOHOSTARCH)}
./scripts/extras.sh
mkdir -p build/packages
./scripts/program.sh "build/packages/$arch/mlflow-oidc-auth" linux "$arch"
since=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1577836800)}
./scripts/deploy.sh build -o "$PWD/build/packages/debian" ./debian
build/packages/debian -config .goreleaser.yaml -version "$(cat internal/release/version.txt)" -arch "$arch" -binary "build/packages/$arch/mlflow-oidc-auth" -time "$since" -to build/packages
