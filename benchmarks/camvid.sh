#!/usr/bin/env bash
# Train segnext_tiny on CamVid from scratch within a time budget and score it on the test split.
#
#   benchmarks/camvid.sh DATA RUN [BUDGET] [--option ...]
#
# DATA holds train/, val/ and test/ with images/ and masks/ of SegNet's 480x360 form: 11 classes,
# void is 11. The figures go to docs/benchmarks.md, the weights to weights/. A run that was
# interrupted goes on; one that is done is only scored again.
set -euo pipefail
data=$1 run=$2 budget=${3:-2h}
shift $(($# < 3 ? $# : 3))
if [ -f "$run/checkpoint.safetensors" ]; then
  segnext train --resume "$run"
else
  segnext train "$data" --ignore-index 11 --domain street --init none --budget "$budget" \
    --out "$run" --license "research only, non-commercial (trained on CamVid)" "$@"
fi
# The file that is published: half precision, half the size.
weights="$run/segnext_tiny_camvid.safetensors"
python - "$run/best.safetensors" "$weights" <<'PYTHON'
import sys

import segnext

segnext.save_model(segnext.load_model(sys.argv[1]), sys.argv[2], half=True)
PYTHON
segnext evaluate "$weights" "$data" --split test --ignore-index 11
for split in val test; do
  segnext evaluate "$weights" "$data" --split "$split" --ignore-index 11 --json >"$run/$split.json"
done
