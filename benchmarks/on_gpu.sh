#!/usr/bin/env bash
# Everything that ten minutes of a GPU should tell: tests, the cost of a step, the loader that feeds it, a real table.
#
#   benchmarks/on_gpu.sh [--device cpu] [--quick] [--root FOLDER] [--store FOLDER] [--seconds N] [--out FOLDER] [PART...]
#
# PART: tests, step, feed, study; all of them where none is named, each as far as it comes: what one measured stays, and a
# part that fails does not keep the next from running. It needs Python 3.11 or 3.12 with torch and torchvision and the
# packages of pyproject.toml, without Ray; nothing is installed and nothing fetched.
#
#   --root   holds UCF-101/ and ucfTrainTestlist/: the real study; rendered videos at the scale of seconds without it
#   --store  of the study's results; run again with the same store, it goes on where it ended
#   --seconds  most that a part may take (600)
#   --out    reports/gpu/NAME-OF-THE-CARD where absent
#   --quick  --device cpu: does every part run? (minutes on two cores)
#
# What the next card is to show stands in reports/gpu/README.md, under "Not yet run on a GPU".
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python=${PYTHON:-python3}
device= quick= root= store= out= seconds=600 parts=()
while (($#)); do
  case $1 in
    --device) device=$2; shift 2 ;; # cuda:0 or cpu
    --quick) quick=--quick; shift ;;
    --root) root=$2; shift 2 ;;
    --store) store=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    tests | step | feed | study) parts+=("$1"); shift ;;
    *) echo "unknown option or part: $1 (see the head of $0)" >&2; exit 2 ;;
  esac
done
((${#parts[@]})) || parts=(tests step feed study)
card=$("$python" -c 'import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu")') || exit
if [[ $device == cpu ]]; then
  card=cpu
  export CUDA_VISIBLE_DEVICES=
fi
out=${out:-reports/gpu/$(tr 'A-Z /' 'a-z--' <<<"$card")}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
store=${store:-$work/store}
mkdir -p "$out"
failed=()

run() { # NAME COMMAND...: its output is in NAME.txt too
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  "$@" 2>&1 | tee "$out/$name.txt"
  local status=${PIPESTATUS[0]}
  echo "== $name ended with status $status after $((SECONDS - start)) s" | tee -a "$out/$name.txt"
  ((status == 0)) || failed+=("$name")
}

limited() { # COMMAND...: interrupted when its time is over, killed 20 s later
  timeout -k 20 -s INT "$seconds" "$@"
}

study() { # what was done is reported and kept without weights, also where time ran out
  local scale=smoke asked status
  [[ -n $root && -z $quick ]] && scale=gpu
  local kept=$out/ucf101_5class/$scale/store
  [[ ! -d $store && -d $kept ]] && cp -r "$kept" "$store"
  asked=(search_spaces/ucf101_5class.yaml --scale "$scale" --storage "$store" --cache "$work/cache")
  [[ $scale == gpu ]] && asked+=(--root "ucf101=$root")
  limited "$python" -m raysl run "${asked[@]}" --local --reports "$work/reports"
  status=$?
  ((status == 124)) && echo "stopped after $seconds s: run again with --store $store, or on what was kept" && status=0
  "$python" -m raysl report "${asked[@]}" --reports "$out" && "$python" -m raysl export "${asked[@]}" --to "$kept" || status=1
  return $status
}

for part in "${parts[@]}"; do
  case $part in
    tests) RAYSL_TEST_DEVICE=${device:-cuda:0} run tests limited "$python" -m pytest -q -p no:cacheprovider -m gpu tests/gpu --durations=5 ;;
    step) run step limited "$python" benchmarks/gpu_step.py ${device:+--device "$device"} $quick --out "$out" ;;
    feed) run feed limited "$python" benchmarks/gpu_feed.py ${device:+--device "$device"} $quick ${root:+--root "$root"} --cache "$work/cache" --out "$out" ;;
    study) run study study ;;
  esac
done
((${#failed[@]} == 0)) || { echo "failed: ${failed[*]}" >&2; exit 1; }
