#!/bin/bash
# sbatch slurm-dask.sh: a Dask cluster for the time of this job. The config says `executor: {dask: tcp://...}`, and is
# made here, because the address is known only now.
#SBATCH --job-name=thumbs
#SBATCH --nodes=9
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=0
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@60
set -euo pipefail
folder=/shared/thumbs
address="tcp://$(hostname):8786"

sed "s|tcp://scheduler:8786|${address}|" "${folder}/thumbs.yaml" >"${folder}/thumbs.slurm.yaml"
# Dask looks after itself less often: it does nothing here but pass on messages.
export DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL=500ms
dask scheduler --port 8786 --no-dashboard &
# One worker on each node but the first; lanes keep to the job's control group, so Dask counts no memory.
srun --relative=1 --ntasks="$((SLURM_JOB_NUM_NODES - 1))" --nodes="$((SLURM_JOB_NUM_NODES - 1))" \
    dask worker "${address}" --nthreads "${SLURM_CPUS_PER_TASK}" --memory-limit 0 --no-dashboard &

pipeline run "${folder}/thumbs.slurm.yaml" --failures-ok --max-runtime 7h50m &
run=$!
trap 'kill -TERM "${run}"' TERM
# `wait` ends early when the trap has run: wait again, for the run's own status.
wait "${run}" || wait "${run}"
