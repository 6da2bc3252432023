#!/usr/bin/env bash
# Builds the documentation as a site into build/site, in an environment of its own. A link that leads nowhere, or a page that is in no menu, fails.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=build/docs
if ! cmp -s docs/requirements.txt "$environment/complete"; then
  python=.venv/bin/python # of an age that is known
  if [ ! -x $python ]; then python=python3; fi
  rm -rf "$environment"
  "$python" -m venv "$environment"
  ./scripts/pip.sh "$environment" -r docs/requirements.txt
  cp docs/requirements.txt "$environment/complete"
fi
# Without what Material for MkDocs says of itself.
NO_MKDOCS_2_WARNING=1 "$environment/bin/mkdocs" build --strict --clean 2>&1 | sed "/^INFO/d" >&2
if grep -rlE '<(script|link|img|iframe)[^>]+(src|href)="(https?:)?//[^"]*\.(js|css|png|svg|woff2?)' build/site --include='*.html' >&2; then
  echo "docs.sh: these pages load something from elsewhere" >&2
  exit 1
fi
