#!/usr/bin/env bash
# Builds the image and runs it, as the Dockerfile says and with the limits of kubernetes.yaml:
#   deploy/test_image.sh           # builds sensorium:latest first
#   deploy/test_image.sh IMAGE     # takes an image that is there
# Needs docker, curl and a free port 8080. Exit code 77: one of them is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for tool in docker curl python3; do
  command -v "$tool" >/dev/null || { echo "not installed: $tool"; exit 77; }
done
docker info >/dev/null 2>&1 || { echo "docker's daemon does not run"; exit 77; }
site=http://127.0.0.1:8080
! curl -s -o /dev/null "$site/health" || { echo "port 8080 is taken"; exit 77; }

image=${1:-}
[ -n "$image" ] || { image=sensorium:latest; docker build -f "$here/Dockerfile" -t "$image" "$here/.."; }
work=$(mktemp -d)
containers=()
finish() { docker rm -f -v "${containers[@]}" >/dev/null 2>&1 || true; rm -rf "$work"; }
trap finish EXIT

answer=$(docker run --rm --entrypoint /usr/local/bin/sensorium "$image" serve --new-key test)
key=$(grep -oE 'sk-[0-9a-zA-Z_-]+' <<<"$answer")
grep -oE 'test +[0-9a-f]{64}' <<<"$answer" >"$work/keys.txt"
chmod 755 "$work"
chmod 644 "$work/keys.txt"

# Puts the container's name into $container; the arguments go to docker run.
start() {
  container=$(docker run -d --network host --health-interval 2s -v "$work/keys.txt:/etc/sensorium/keys.txt:ro" "$@")
  containers+=("$container")
  ready
}
ready() {
  for _ in $(seq 300); do curl -sf "$site/ready" >/dev/null && return; sleep 0.2; done
  docker logs "$container"
  exit 1
}
ask() { curl -sf -H "Authorization: Bearer $key" "$@"; }
chat() {
  python3 - "$here/../examples/site.jpg" <<'PYTHON' >"$work/question.json"
import base64, json, sys
picture = base64.b64encode(open(sys.argv[1], "rb").read()).decode()
print(json.dumps({"model": "default", "messages": [{"role": "user", "content": [
    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + picture}}, {"type": "text", "text": "How many people wear a helmet?"}]}]}))
PYTHON
  ask "$site/v1/chat/completions" -d "@$work/question.json" | grep -q '"content":"[0-9]'
}
healthy() {
  for _ in $(seq 60); do
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$container")" = healthy ] && return
    sleep 0.5
  done
  docker inspect -f '{{json .State.Health}}' "$container"
  exit 1
}

start "$image"
[ "$(docker exec "$container" id -un)" = sensorium ]
[ "$(curl -s -o /dev/null -w '%{http_code}' "$site/v1/models")" = 401 ]
chat
healthy
echo "ok    it runs as a user of its own, asks for keys, sees a picture, and its probe finds it healthy"
ask -X PUT "$site/api/conversations/kept" -d '{"title":"one"}' >/dev/null
docker stop "$container" >/dev/null
[ "$(docker inspect -f '{{.State.ExitCode}}' "$container")" = 0 ]
docker start "$container" >/dev/null
ready
ask "$site/api/conversations/kept" | grep -q '"title":"one"'
docker stop "$container" >/dev/null
echo "ok    it stops by itself and keeps its conversations"

mkdir "$work/files"
chmod 777 "$work/files"
start --read-only --user 10001:10001 --cap-drop ALL --security-opt no-new-privileges --memory 4g --tmpfs /tmp \
  -v "$work/files:/var/lib/sensorium/files" "$image" --keys /etc/sensorium/keys.txt --database none --files /var/lib/sensorium/files
chat
ask "$site/v1/files" -F purpose=vision -F "file=@$here/../examples/digit.png" | grep -q '"object":"file"'
healthy
echo "ok    it runs with the manifest's limits: another user, nothing writable but its volumes, no capabilities"
