"""Claims the targets of jobs before they are written."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.manifest.claims import Claim
from pipeline.manifest.store import Manifest
from pipeline.model.job import Job
from pipeline.targets.target import Target


def claim(manifest: Manifest, target: Target, jobs: Sequence[Job], *, adopt: bool) -> None:
    """Claim, durably, the targets of `jobs` that are not ours yet. Raises `ManifestTrouble` and `TargetTrouble`.

    `adopt`: a file may be in the way; it becomes ours by its record, once it has proved equal.
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
