"""What is compared: configs as they are, or one config with several qualities; and the reference of each rendition."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.config.settings import Config
from pipeline.errors import UsageError, printable
from pipeline.model.spec import AS_SOURCE, Animation, Format, Metadata, Spec, Verify

QUALITY = "quality "  # begins the name of a recipe that differs by it
_QUICK = 1  # PNG's effort for references: a quarter of the time of the usual one, and files 6 to 12 % larger


@dataclass(frozen=True, slots=True)
class Recipe:
    """One side of a comparison: what the renditions are to look like, and the limits of a picture."""

    name: str
    config: Config

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The renditions to compare."""
        return self.config.specs


def of_configs(configs: Sequence[Config], renditions: Sequence[str]) -> list[Recipe]:
    """A recipe for each config, named by its file. Raises `UsageError` where they have no rendition in common, or where
    one that `renditions` names is in none of them.
    """
    stems = [config.path.stem for config in configs]
    distinct = len(set(stems)) == len(stems)
    names = stems if distinct else [os.path.relpath(config.path) for config in configs]
    recipes = [
        Recipe(printable(name), config) for name, config in zip(names, _chosen(configs, renditions), strict=True)
    ]
    common = set.intersection(*({spec.name for spec in recipe.specs} for recipe in recipes))
    if not common:
        raise UsageError(
            "there is nothing to compare: no rendition has the same name in "
            + " and ".join(
                f"{recipe.name} ({', '.join(spec.name for spec in recipe.specs) or 'none'})" for recipe in recipes
            )
        )
    return recipes


def of_qualities(config: Config, qualities: Sequence[int], renditions: Sequence[str]) -> list[Recipe]:
    """A recipe for each quality, of the renditions that have one. Raises `UsageError` where none has, or as above.

    One quality alone is compared with the config as it is.
    """
    (chosen,) = _chosen([config], renditions)
    specs = tuple(spec for spec in chosen.specs if spec.effective_quality is not None and not spec.lossless)
    if not specs:
        raise UsageError(f"{printable(str(config.path))}: no rendition has a quality (JPEG, WebP and AVIF have one)")
    recipes = [Recipe("as it is", replace(config, specs=specs))] if len(qualities) == 1 else []
    for quality in qualities:
        of_it = tuple(replace(spec, quality=quality) for spec in specs)
        recipes.append(Recipe(f"{QUALITY}{quality}", replace(config, specs=of_it)))
    return recipes


def _chosen(configs: Iterable[Config], renditions: Sequence[str]) -> list[Config]:
    """The configs with the renditions of those names (or families) only; all of them where no name is given."""
    if not renditions:
        return list(configs)
    chosen = [
        replace(config, specs=tuple(spec for spec in config.specs if {spec.name, spec.family} & {*renditions}))
        for config in configs
    ]
    there = {name for config in chosen for spec in config.specs for name in (spec.name, spec.family)}
    for name in renditions:
        if name not in there:
            raise UsageError(f"--rendition {printable(name)}: there is none of that name")
    return chosen


def reference(spec: Spec, name: str) -> Spec:
    """The rendition without a loss in encoding: the same pixels as a still PNG. What `spec` loses is measured by it.

    Alpha is kept, to be put on the background of `spec` where its format has none.
    """
    return replace(
        spec,
        name=name,
        format=Format.PNG,
        quality=None,
        lossless=False,
        effort=_QUICK,
        subsampling=None,
        progressive=None,
        colors=None,
        max_bytes=None,
        optimize=False,
        keep_smaller=False,
        metadata=Metadata.STRIP,
        private=(),
        density=None if spec.density == AS_SOURCE else spec.density,
        animation=Animation.FIRST,
        verify=Verify.HEADER,
        family=None,
    )
