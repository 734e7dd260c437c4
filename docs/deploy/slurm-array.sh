#!/bin/bash
# sbatch slurm-array.sh: sixteen shards of one target on a shared file system, then their merge.
#SBATCH --job-name=thumbs
#SBATCH --array=1-16
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
set -euo pipefail
config=/shared/thumbs/thumbs.yaml

# The merge comes after all shards, however they ended, once: the first task submits it. It brings in what they have made;
# where one is to run again it says with which command, and fails, so that Slurm mails it.
if [[ ${SLURM_ARRAY_TASK_ID} -eq ${SLURM_ARRAY_TASK_MIN} && ${SLURM_RESTART_COUNT:-0} -eq 0 ]]; then
    sbatch --dependency="afterany:${SLURM_ARRAY_JOB_ID}" --job-name=thumbs-merge --wrap="pipeline manifest merge ${config}"
fi

# `exec`, so that the signal before the time limit reaches the run, which then ends cleanly.
exec pipeline run "${config}" --shard auto --failures-ok --max-runtime 7h50m
