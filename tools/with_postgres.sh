#!/usr/bin/env bash
# Runs a command with a PostgreSQL server of its own, which SENSORIUM_TEST_POSTGRES names: a new cluster in a temporary folder that
# listens on a Unix socket there and nowhere else, and is gone afterwards. Without the server's programs (tools/packages-dev.txt),
# or where that variable names a database already, the command runs as it is.
#   tools/with_postgres.sh ctest --test-dir build/release -R Storage
set -uo pipefail
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if [ -n "${SENSORIUM_TEST_POSTGRES:-}" ] || [ ! -x "$programs/initdb" ]; then exec "$@"; fi
work=$(mktemp -d)
# The server refuses to run as root.
as_user() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
finish() {
  as_user "$programs/pg_ctl" -D "$work/db" -m immediate stop >/dev/null 2>&1
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
if [ "$(id -u)" -eq 0 ]; then chown postgres "$work" || exit 1; fi
# What is lost when the machine fails does not matter here: no fsync.
as_user "$programs/initdb" -D "$work/db" -A trust -U sensorium -N >"$work/log" 2>&1 &&
  as_user "$programs/pg_ctl" -D "$work/db" -w -t 60 -l "$work/server" -o "-k $work -c listen_addresses= -c fsync=off" start >>"$work/log" 2>&1 || {
    echo "the PostgreSQL server for the tests did not start:" >&2
    tail -n 20 "$work/log" "$work/server" >&2
    exit 1
  }
SENSORIUM_TEST_POSTGRES="postgresql://sensorium@/postgres?host=$work" "$@"
