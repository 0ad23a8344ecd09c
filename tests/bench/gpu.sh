#!/bin/bash
# Everything that is measured on one GPU, in at most eight minutes:
#
#     OUT=gpu DATA=photos/ tests/bench/gpu.sh        # figures in gpu/gpu.json, sheets beside it
#     CPU=1 OUT=gpu tests/bench/gpu.sh               # the same with tiny sizes on a processor, to try it
#
# OUT: folder, made where it is missing. DATA: photographs of at least 288 px to train on; without it, drawn cats.
# VGG: torchvision's state_dict of VGG19, for SRGAN's perceptual loss; without it SRGAN has a pixel loss in its place.
# Ends with 1 where a family could not be measured; what could be is written all the same.
set -eu
cd "$(dirname "$0")/../.."
out=${OUT:-gpu}
options=(--out "$out")
[ -n "${DATA:-}" ] && options+=(--data "$DATA")
[ -n "${VGG:-}" ] && options+=(--vgg "$VGG")
[ -n "${CPU:-}" ] && options+=(--tiny)
export PYTHONPATH=$PWD:$PWD/tests/trainer${PYTHONPATH:+:$PYTHONPATH}
exec timeout --signal INT 480 python tests/bench/bench_gpu.py "${options[@]}"
