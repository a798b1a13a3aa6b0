#!/bin/sh
# Sets up what the tests need beyond Python's packages: Node.js with npm packages, Chromium, Redis, RabbitMQ, and Kafka
# with the Java that runs it. Debian's packages are installed when they are missing and we are root; whatever is missing
# afterwards, its tests are skipped with a reason (or fail, with CI set). Nothing is done twice.
set -eu
cd "$(dirname "$0")"

missing() {
    ! command -v "$1" >/dev/null 2>&1
}

packages=
missing node && packages="$packages nodejs"
missing npm && packages="$packages npm"
missing chromium && packages="$packages chromium"
missing redis-server && packages="$packages redis-server"
missing rabbitmq-server && packages="$packages rabbitmq-server"
missing java && packages="$packages default-jre-headless"
missing mvn && packages="$packages maven"
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && ! missing apt-get; then
    export DEBIAN_FRONTEND=noninteractive
    # Debian starts Redis and RabbitMQ once they are installed, unless this file forbids it. Our tests start their own.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
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

# Kafka's jars. The folder gets its name when it is complete, and beside them lies the file that they were fetched by.
kafka=../.cache/kafka
if ! missing mvn && ! cmp -s brokers/pom.xml "$kafka/pom.xml"; then
    rm -rf "$kafka" "$kafka.new"
    mkdir -p "$kafka.new"
    mvn -q -B -f brokers/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$kafka.new/jars"
    cp brokers/pom.xml "$kafka.new"
    mv "$kafka.new" "$kafka"
fi
