#!/usr/bin/env bash
# Two replicas on one PostgreSQL database behind nginx, all on this machine and in a temporary folder:
#   deploy/test_replicas.sh build/release/sensorium
# Needs nginx, postgresql and curl. Exit code 77: one of them is not installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "${1:-$here/../build/release/sensorium}")
export PATH=$PATH:/usr/sbin:/usr/lib/postgresql/15/bin
for tool in nginx initdb pg_ctl curl; do
  command -v "$tool" >/dev/null || { echo "not installed: $tool"; exit 77; }
done
work=$(mktemp -d)
chmod 755 "$work"
pids=()
as_user() { if [ "$(id -u)" -eq 0 ]; then su postgres -s /bin/bash -c "PATH=$PATH $*"; else bash -c "$*"; fi; }
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  as_user "pg_ctl -D $work/db -m immediate stop" >/dev/null 2>&1 || true
  wait || true
  rm -rf "$work"
}
trap finish EXIT
# Below the ports that the system gives to outgoing connections, which would take one between here and its use.
free_port() {
  python3 -c 'import random, socket
while True:
    port = random.randrange(20000, 32000)
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", port)) != 0:
            break
print(port)'
}
wait_for() { for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "never came: $*"; tail -n 20 "$work"/*.log; exit 1; }

database_port=$(free_port) first=$(free_port) second=$(free_port) front=$(free_port)
mkdir "$work/db" "$work/socket" "$work/files"
[ "$(id -u)" -eq 0 ] && chown postgres "$work/db" "$work/socket"
as_user "initdb -D $work/db -A trust -U sensorium" >/dev/null
as_user "pg_ctl -D $work/db -w -l $work/socket/log -o '-p $database_port -k $work/socket -c listen_addresses=127.0.0.1' start" >/dev/null
database="postgresql://sensorium@127.0.0.1:$database_port/postgres"

start() {
  "$program" serve --port "$1" --database "$database" --files "$work/files" --quiet --grace 20 --behind-proxy >"$work/$1.log" 2>&1 &
  pids+=($!)
}
start "$first"
start "$second"
wait_for curl -sf "http://127.0.0.1:$first/ready"
wait_for curl -sf "http://127.0.0.1:$second/ready"

sed -e "s/127.0.0.1:8081/127.0.0.1:$first/; s/127.0.0.1:8082/127.0.0.1:$second/; s/listen 8080;/listen 127.0.0.1:$front;/" "$here/nginx.conf" >"$work/site.conf"
cat >"$work/nginx.conf" <<CONF
daemon off;
pid $work/nginx.pid;
error_log $work/nginx.log;
events {}
http { access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy; include $work/site.conf; }
CONF
nginx -c "$work/nginx.conf" -p "$work" &
pids+=($!)
site="http://127.0.0.1:$front"
wait_for curl -sf "$site/health"

say() { curl -sfN "$site/v1/chat/completions" -H "Authorization: Bearer client-$1" -d "{\"model\":\"default\",\"stream\":$2,\"messages\":[{\"role\":\"user\",\"content\":\"Hello, $1\"}]}"; }
for i in $(seq 8); do say "$i" true | grep >/dev/null 'DONE'; done
echo "ok    eight clients stream through nginx"
for replica in $first $second; do
  curl -sf "http://127.0.0.1:$replica/metrics" | grep >/dev/null '^sensorium_jobs_done_total [1-9]'
done
echo "ok    both replicas answered"

curl -sf -X PUT "http://127.0.0.1:$first/api/conversations/shared" -d '{"title":"one"}' >/dev/null
curl -sf -X PUT "http://127.0.0.1:$second/api/conversations/shared/messages/m" -d '{"role":"user","content":"hi"}' >/dev/null
curl -sf "http://127.0.0.1:$first/api/conversations/shared" | grep >/dev/null '"content":"hi"'
echo "ok    a conversation is that of both"
file=$(curl -sf "http://127.0.0.1:$first/v1/files" -F purpose=vision -F "file=@$here/../examples/digit.png" | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
curl -sf "http://127.0.0.1:$second/v1/files/$file/content" | cmp -s - "$here/../examples/digit.png"
echo "ok    an uploaded file is that of both"

# One replica is stopped in the middle of an answer: that is finished, and nobody else sees an error.
curl -sfN "http://127.0.0.1:$first/v1/chat/completions" -d '{"model":"default","stream":true,"max_tokens":900,"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"string","minLength":3000}}},"messages":[{"role":"user","content":"Hello"}]}' >"$work/long" &
long=$!
wait_for test -s "$work/long"
kill -TERM "${pids[0]}"
for i in $(seq 8); do say "$i" false >/dev/null; done
wait "$long"
grep -q 'DONE' "$work/long"
echo "ok    a replica stops without a lost answer"

as_user "pg_ctl -D $work/db -m fast -w stop" >/dev/null
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$second/api/conversations")" = 503 ]
say x false >/dev/null
as_user "pg_ctl -D $work/db -w -l $work/socket/log -o '-p $database_port -k $work/socket -c listen_addresses=127.0.0.1' start" >/dev/null
curl -sf "http://127.0.0.1:$second/api/conversations/shared" | grep >/dev/null '"title":"one"'
echo "ok    the database may go and come back"
