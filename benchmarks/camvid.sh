#!/usr/bin/env bash
# Train segnext_tiny on CamVid from scratch within a time budget and score it on the test split.
#
#   benchmarks/camvid.sh DATA RUN [BUDGET] [--option ...]
#
# DATA holds train/, val/ and test/ with images/ and masks/ of SegNet's 480x360 form: 11 classes,
# void is 11. The figures go to docs/benchmarks.md. A run that was interrupted goes on.
set -euo pipefail
data=$1 run=$2 budget=${3:-2h}
shift $(($# < 3 ? $# : 3))
if [ -f "$run/checkpoint.safetensors" ]; then
  segnext train --resume "$run"
else
  segnext train "$data" --ignore-index 11 --domain street --init none --budget "$budget" \
    --out "$run" --license "research only, non-commercial (trained on CamVid)" "$@"
fi
segnext evaluate "$run/best.safetensors" "$data" --split test --ignore-index 11
segnext evaluate "$run/best.safetensors" "$data" --split test --ignore-index 11 --json >"$run/test.json"
