#!/usr/bin/env bash
# Compare small systems, the parts of MSCA (the paper's table 6), or starts, on CamVid at half size.
#
#   benchmarks/compare_small.sh CAMVID OUT small_systems|table6|benchmarks/from_encoder.yaml [--option ...]
#
# CAMVID holds train/, val/ and test/, each with images/ and masks/. Its pictures are halved to
# OUT/camvid_half (240x180), so that a crop shows as much of a street as one of four times its
# pixels: the budget of two cores is some 1,600 crops for each of 18 trainings. An interrupted
# comparison goes on. Figures and plot go to docs/benchmarks.md. OMP_NUM_THREADS=1 lets both
# comparisons train side by side; take times with both cores free (--no-measure leaves them out).
set -euo pipefail
camvid=$1 out=$2 table=$3
shift 3
python "$(dirname "$0")/halve_pictures.py" "$camvid" "$out/camvid_half"
segnext compare "$table" --data "$out/camvid_half" --out "$out/$(basename "$table" .yaml)" --seeds 0,1 \
  --split test --size 192x256 --set init=none --set learning_rate=1e-3 \
  --set decoder_lr_factor=1.0 --set "crop_size=[128,160]" --set batch_size=4 --set max_steps=400 \
  --set validate_every=100 --set log_every=20 --set num_workers=0 "$@"
