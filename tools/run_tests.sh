#!/usr/bin/env bash
# Runs every test of a build folder (first argument) and closes with one line: "N passed, N failed, N skipped".
# The tests of storage get a PostgreSQL server where its programs are installed (with_postgres.sh).
# LABELS, if set, is a regular expression of the labels to run (unit, golden, e2e, slow).
set -uo pipefail
build=$1
jobs=$(nproc)
log=$(mktemp)
junit=$(mktemp)
trap 'rm -f "$log" "$junit"' EXIT
"$(dirname "$0")/with_postgres.sh" ctest --test-dir "$build" --output-on-failure --timeout 600 -j "$jobs" ${LABELS:+-L "$LABELS"} --output-junit "$junit" \
  --progress >"$log" 2>&1
status=$?
grep -vE '^\[?[0-9]+/[0-9]+|^ *Start|Passed +[0-9.]+ sec$' "$log" | tail -n 200
python3 - "$junit" <<'PY'
import sys
import xml.etree.ElementTree as tree

passed = failed = 0
skipped = []
slow = []
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        skipped.append(case.get("name"))
    elif case.find("failure") is not None or case.get("status") == "fail":
        failed += 1
    else:
        passed += 1
    slow.append((float(case.get("time", 0)), case.get("name")))
for name in skipped:
    print("skipped:", name)
for seconds, name in sorted(slow, reverse=True)[:5]:
    print(f"slowest: {seconds:7.2f} s  {name}")
print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
PY
exit $status
