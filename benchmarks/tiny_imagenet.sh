#!/usr/bin/env bash
# Train mscan_tiny from scratch on 20 classes of Tiny ImageNet (64x64) within a time budget.
#
#   benchmarks/tiny_imagenet.sh DATA RUN [BUDGET] [--option ...]
#
# DATA holds train/ and val/ with a folder for each class, 500 and 50 photos in each. A run that was
# interrupted goes on; one that is done is only scored again. The figures go to docs/benchmarks.md.
#
# The settings are for about an hour of two CPU cores, which is some 20 passes over the photos:
# - Stem stride 2: stage 4 of a 64 px photo has 4x4 positions, of stride 4 only 2x2. For the same
#   time it sees half the photos and learns about as much in the first minutes, more later.
# - Crops of 48 px, seen whole at 64 px in validation: crops show things larger than they are, so
#   both sizes fit each other (arXiv 1906.06423), and a step takes half the time of 64 px.
# - The recipe's augmentation is for 300 passes. Here: larger crops, one mild operation of
#   RandAugment, every other batch mixed, nothing erased, less drop path.
set -euo pipefail
data=$1 run=$2 budget=${3:-1h}
shift $(($# < 3 ? $# : 3))
if [ -f "$run/checkpoint.safetensors" ]; then
  segnext classify train --resume "$run"
else
  segnext classify train "$data" --out "$run" --budget "$budget" \
    --model mscan_tiny --stem-stride 2 --crop 48 --batch-size 64 --learning-rate 2e-3 \
    --set eval_size=64 --set crop_share=0 --set validate_every=400 --set warmup_epochs=1 \
    --set "scale_range=[0.35,1.0]" --set randaugment=1 --set magnitude=5 --set erasing=0 \
    --set mixup=0.2 --set cutmix=1.0 --set mix_probability=0.5 \
    --set drop_path=0.05 --set clip_norm=1.0 "$@"
fi
segnext classify evaluate "$run/best.safetensors" "$data" --out "$run/scores"
segnext classify evaluate "$run/best.safetensors" "$data" --json >"$run/val.json"
