"""What is compared: configs as they are, or one config with several qualities; and the reference of each rendition."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.config.settings import Config
from pipeline.errors import UsageError, printable
from pipeline.model.spec import AS_SOURCE, Animation, Format, Hdr, Metadata, Spec, Verify
from pipeline.plan.rules import Rules

QUALITY = "quality "  # begins the name of a recipe that differs by it
_QUICK = 1  # PNG's effort for references: a quarter of the time of the usual one, and files 6 to 12 % larger


@dataclass(frozen=True, slots=True)
class Recipe:
    """One side of a comparison: what the renditions are to look like, and the limits of a picture."""

    name: str
    config: Config

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the renditions to compare, those of rules, too."""
        return tuple(dict.fromkeys(spec.name for spec in self.config.all_specs))


def of_configs(configs: Sequence[Config], renditions: Sequence[str]) -> list[Recipe]:
    """A recipe for each config, named by its file. Raises `UsageError` where they have no rendition in common or make
    the same of every picture, or where one that `renditions` names is in none of them.
    """
    stems = [config.path.stem for config in configs]
    distinct = len(set(stems)) == len(stems)
    names = stems if distinct else [os.path.relpath(config.path) for config in configs]
    recipes = [
        Recipe(printable(name), config) for name, config in zip(names, _chosen(configs, renditions), strict=True)
    ]
    if not set.intersection(*({*recipe.names} for recipe in recipes)):
        raise UsageError(
            "there is nothing to compare: no rendition has the same name in "
            + " and ".join(f"{recipe.name} ({', '.join(recipe.names) or 'none'})" for recipe in recipes)
        )
    return _different(recipes)


def of_qualities(config: Config, qualities: Sequence[int], renditions: Sequence[str]) -> list[Recipe]:
    """A recipe for each quality, of the renditions that have one. Raises `UsageError` where none has, or as above.

    One quality alone is compared with the config as it is.
    """
    (chosen,) = _chosen([config], renditions)
    lossy = changed(chosen, lambda spec: None if spec.effective_quality is None or spec.lossless else spec)
    if not lossy.all_specs:
        raise UsageError(
            f"{printable(str(config.path))}: no rendition has a quality (JPEG, WebP, AVIF and JPEG XL have one)"
        )
    recipes = [Recipe("as it is", lossy)] if len(qualities) == 1 else []
    recipes += [Recipe(f"{QUALITY}{quality}", changed(lossy, _of_quality(quality))) for quality in qualities]
    return _different(recipes)


def _different(recipes: list[Recipe]) -> list[Recipe]:
    """`recipes`. Raises `UsageError` where all would make the same of every picture."""
    if len(recipes) > 1 and len({_makes(recipe.config) for recipe in recipes}) == 1:
        names = " and ".join(recipe.name for recipe in recipes)
        raise UsageError(f"there is nothing to compare: {names} make the same of every picture")
    return recipes


def _makes(config: Config) -> tuple[object, ...]:
    """What decides about the bytes that are made of a picture, and about whether any are."""
    sets = Rules(config.specs, config.rules).sets
    made = [(tuple(spec.name for spec in each.specs), each.recipes) for each in sets]
    return (tuple(made), tuple(rule.match for rule in config.rules), config.limits)


def _of_quality(quality: int) -> Callable[[Spec], Spec]:
    return lambda spec: replace(spec, quality=quality)


def changed(config: Config, change: Callable[[Spec], Spec | None]) -> Config:
    """`config` with each rendition, those of rules, too, as `change` makes it; without those that become None."""

    def each(specs: Iterable[Spec]) -> tuple[Spec, ...]:
        return tuple(new for spec in specs if (new := change(spec)) is not None)

    rules = tuple(replace(rule, specs=each(rule.specs)) for rule in config.rules)
    return replace(config, specs=each(config.specs), rules=rules)


def _chosen(configs: Iterable[Config], renditions: Sequence[str]) -> list[Config]:
    """The configs with the renditions of those names (or families) only; all of them where no name is given."""
    if not renditions:
        return list(configs)
    chosen = [
        changed(config, lambda spec: spec if {spec.name, spec.family} & {*renditions} else None) for config in configs
    ]
    there = {name for config in chosen for spec in config.all_specs for name in (spec.name, spec.family)}
    for name in renditions:
        if name not in there:
            raise UsageError(f"--rendition {printable(name)}: there is none of that name")
    return chosen


def backgrounds(config: Config) -> Callable[[str, str], str]:
    """A function that gives the background of the rendition (second) of a picture (first)."""
    rules = Rules(config.specs, config.rules)
    sets = [{spec.name: spec.background for spec in rule_set.specs} for rule_set in rules.sets]
    return lambda source, name: sets[rules.of(source).rule][name]


def references(config: Config) -> tuple[Config, Callable[[str], Mapping[str, str]]]:
    """`config` with the references in the place of its renditions, equal ones once, as those of a family's formats are.
    Also a function that gives, for a picture, the name of each rendition's reference.
    """
    sets: list[tuple[Spec, ...]] = []
    names: list[dict[str, str]] = []
    for specs in config.spec_sets:
        first: dict[Spec, str] = {}  # the name of the first rendition that has this reference
        names.append({spec.name: first.setdefault(_reference(spec), spec.name) for spec in specs})
        sets.append(tuple(replace(spec, name=name) for spec, name in first.items()))
    rules = Rules(config.specs, config.rules)
    made = (replace(rule, specs=specs) for rule, specs in zip(config.rules, sets[1:], strict=True))
    return replace(config, specs=sets[0], rules=tuple(made)), lambda source: names[rules.of(source).rule]


def _reference(spec: Spec) -> Spec:
    """The rendition without a loss in encoding: the same pixels as a still PNG. What `spec` loses is measured by it.

    Alpha is kept, to be put on the background of `spec` where its format has none.
    """
    return replace(
        spec,
        name="",
        format=Format.PNG,
        quality=None,
        lossless=False,
        effort=_QUICK,
        subsampling=None,
        progressive=None,
        colors=None,
        dither=1.0,
        depth=8,
        hdr=Hdr.SDR,
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
