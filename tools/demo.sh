#!/usr/bin/env bash
# Asks the default model about the example pictures. First argument: the binary.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
ask() {
  printf '\n$ sensorium ask "%s" %s\n' "$1" "$2"
  "$binary" ask "$1" "$2"
}
while IFS='|' read -r picture question; do
  ask "$question" "examples/$picture"
done < examples/questions.txt
cat <<TXT

Where to go next:
  $binary ask "How many people wear a safety helmet?" your-photo.jpg --annotate found.png
  $binary inspect                                  what the default model is
  $binary train recipes/tiny.yaml out=runs/tiny    train a small model of your own in minutes
  README.md                                        your photos, your data, your own model
TXT
