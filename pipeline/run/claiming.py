"""Targets are claimed in the manifest before anything is written to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.manifest.claims import Claim
from pipeline.manifest.store import Manifest
from pipeline.model.job import Job
from pipeline.targets.target import Target


def claim(jobs: Sequence[Job], manifest: Manifest, target: Target, *, adopt: bool) -> None:
    """Claim, durably, the targets of `jobs` that are not ours yet, before they are written.

    To adopt is to find files in the way: such a file becomes ours by its record, once it has proved equal.
    """
    claims = [
        Claim(planned.target, job.source, planned.spec.name)
        for job in jobs
        for planned in job.planned
        if not planned.ours
    ]
    if claims and adopt:
        there = target.stats([claim.target for claim in claims])
        claims = [claim for claim, stat in zip(claims, there, strict=True) if stat is None]
    if claims:
        manifest.claim(claims)


def with_claims(job: Job, manifest: Manifest) -> Job:
    """The job with its claimed targets as ours."""
    claimed = manifest.claimed([planned.target for planned in job.planned])
    return replace(job, planned=tuple(replace(planned, ours=planned.target in claimed) for planned in job.planned))
