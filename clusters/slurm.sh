#!/bin/bash
#SBATCH --job-name=raysl
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=raysl-%j.log
#
# One run on one Slurm allocation: Ray is started on its nodes, `raysl run` on the first of them, and both end with it.
#
# Submit:  sbatch clusters/slurm.sh STUDY --storage /SHARED/store --reports /SHARED/reports     # what `raysl run` takes
#          sbatch --nodes=8 --partition=gpu clusters/slurm.sh ...                               # options of sbatch go first
#          The store is a folder that all nodes see, or a bucket. For CPUs alone: sbatch --gpus-per-node=0 ...
# Watch:   tail -f raysl-JOB.log; raysl status STUDY --storage /SHARED/store, on any machine that sees it
# Stop:    scancel --batch --signal=TERM JOB         # lets it save checkpoints; plain `scancel JOB` gives it KillWait
#          Submitted again, it goes on from the store. Five minutes before the end of its time it stops like this by
#          itself, and has Slurm queue it again.
#
# What it costs to leave running: nothing after the run, as the allocation ends with it. While it runs, all of its nodes
# are charged, also those that the last cells leave idle: nodes x hours x your site's rate, here 2 x 24 h = 48 node-hours
# at most for each time that it is queued. Slurm gives no node back early: take as many as there are cells side by side.
#
# When a node goes (there are spot partitions in clouds): its cells begin again from their last checkpoint on the nodes
# that are left. When Slurm preempts the allocation, or its first node goes, it is queued again (--requeue) and goes on
# from the store.
#
# `ray symmetric-run` is not used: it ends by `ray stop`, which ends every Ray of the user on a node that two allocations
# share, and hands on no signal.
#
# The checkout's .venv is used where there is one (RAYSL_VENV names another). Ray's requests need a token that this
# script makes: a cluster's nodes have other users.
# shellcheck disable=SC2016,SC2329
set -euo pipefail

venv=${RAYSL_VENV:-${SLURM_SUBMIT_DIR:-.}/.venv}
if [ -d "$venv" ]; then
  export PATH="$venv/bin:$PATH"
fi
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${nodes%%$'\n'*}
port=${RAYSL_RAY_PORT:-$((20000 + SLURM_JOB_ID % 10000))}
folder=/tmp/raysl-$SLURM_JOB_ID # of Ray, on each node; short, for its sockets
resources=("--num-cpus=${SLURM_CPUS_PER_TASK:-$(nproc)}" "--num-gpus=${SLURM_GPUS_ON_NODE:-0}")
started=()
run=

end() { # Ray ends with the processes that started it
  trap - EXIT
  for process in "${started[@]}"; do
    kill -TERM "$process" 2>/dev/null || true
  done
  wait || true
  srun --overlap --ntasks-per-node=1 rm -rf "$folder" || true
}
trap end EXIT

again=
stop() { # asks the run to save checkpoints and to end
  if [ -n "$run" ]; then
    kill -TERM "$run" 2>/dev/null || true
  fi
}
trap stop TERM INT
trap 'again=yes; stop' USR1 # its time is nearly over

address=$(srun --overlap --nodes=1 --ntasks=1 --nodelist="$first" hostname -i | awk '{print $1}')
srun --overlap --nodes=1 --ntasks=1 --nodelist="$first" \
  ray start --head --block --node-ip-address="$address" --port="$port" --temp-dir="$folder" \
  --dashboard-host=127.0.0.1 --disable-usage-stats "${resources[@]}" &
started+=($!)
for node in $nodes; do
  if [ "$node" != "$first" ]; then
    srun --overlap --nodes=1 --ntasks=1 --nodelist="$node" \
      bash -c 'until ray health-check --address "$0"; do sleep 2; done; exec ray start --block --address "$@"' \
      "$address:$port" "$address:$port" "${resources[@]}" &
    started+=($!)
  fi
done
until ray health-check --address "$address:$port"; do
  kill -0 "${started[0]}" # else Ray did not start, and the log says why
  sleep 2
done

raysl run "$@" --address "$address:$port" &
run=$!
code=0
wait "$run" || code=$?
while kill -0 "$run" 2>/dev/null; do # a signal ends `wait`, not the run
  code=0
  wait "$run" || code=$?
done
if [ -n "$again" ] && [ "$code" -ne 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
