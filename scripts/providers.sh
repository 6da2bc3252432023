#!/usr/bin/env bash
# Brings the identity providers that the tests sign in at beside the one for development: Keycloak into .providers, and
# oidc-provider beside its program in test/e2e/oidc-provider. Does nothing when they are there already with the right versions.
set -euo pipefail
cd "$(dirname "$0")/.."

version=26.7.3
sha256=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
say() { echo "providers.sh: $*" >&2; }

# keycloak makes .providers/keycloak-VERSION, with the server built for a database in memory: a test begins with an empty one.
# It is fetched from Maven's repository, whose packages are the same as the project's own downloads.
keycloak() {
  local dir=.providers/keycloak-$version zip=.providers/m2/org/keycloak/keycloak-quarkus-dist/$version/keycloak-quarkus-dist-$version.zip
  ./scripts/debian.sh default-jre-headless=java
  if [ -f "$dir/complete" ]; then return; fi
  ./scripts/debian.sh maven=mvn unzip=unzip
  say "fetching Keycloak $version (170 MB)"
  rm -rf "$dir"
  mkdir -p .providers
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get -Dtransitive=false \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -Dmaven.repo.local="$PWD/.providers/m2" >&2
  echo "$sha256  $zip" | sha256sum --check --quiet >&2
  unzip -q "$zip" -d .providers
  say "building Keycloak's server"
  # One compiler and one collector of garbage: half the time for a process that ends soon.
  JAVA_OPTS="-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC" "$dir/bin/kc.sh" build --db=dev-mem >"$dir/build.log" 2>&1 || {
    cat "$dir/build.log" >&2
    exit 1
  }
  rm -rf .providers/m2
  touch "$dir/complete"
}

# oidc_provider installs what package-lock.json names, each package checked against its hash there. Node.js is one of them: Debian 12
# has one that is too old.
oidc_provider() {
  local dir=test/e2e/oidc-provider
  if cmp -s "$dir/package-lock.json" "$dir/node_modules/complete"; then return; fi
  ./scripts/debian.sh npm=npm
  say "installing oidc-provider"
  npm --prefix "$dir" ci --ignore-scripts --no-fund --no-audit --loglevel=error >&2
  cp "$dir/package-lock.json" "$dir/node_modules/complete"
}

keycloak
oidc_provider
