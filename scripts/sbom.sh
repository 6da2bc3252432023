#!/usr/bin/env bash
# sbom.sh PROGRAM VERSION TIME DOCUMENT: writes which modules a program is built of (CycloneDX, JSON), as the program itself says. The same
# program, version and time give the same bytes.
set -euo pipefail
go run -trimpath github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -std -noserial -version "v$2" -output "$4" "$1"
sed -i -E "0,/\"timestamp\"/s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$3\"/" "$4"
