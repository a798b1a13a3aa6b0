#!/bin/sh
# Sets up what the tests need beyond Python's packages: Node.js with npm packages, and Chromium.
# Debian's packages are installed when they are missing and we are root; whatever is missing afterwards, its tests are
# skipped with a reason (or fail, with CI set). Nothing is done twice.
set -eu
cd "$(dirname "$0")"

missing() {
    ! command -v "$1" >/dev/null 2>&1
}

packages=
missing node && packages="$packages nodejs"
missing npm && packages="$packages npm"
missing chromium && packages="$packages chromium"
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && ! missing apt-get; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get -o DPkg::Lock::Timeout=300 install -qq --no-install-recommends $packages >/dev/null
fi

# npm leaves its own record of what it installed: while that is newer than the lock file there is nothing to do.
for lock in */package-lock.json; do
    folder=${lock%/*}
    if [ -f "$lock" ] && ! missing npm && [ ! "$folder/node_modules/.package-lock.json" -nt "$lock" ]; then
        npm ci --silent --prefix "$folder"
    fi
done
