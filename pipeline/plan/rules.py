"""Which renditions a picture gets: those of the first rule of the config that matches its name, else the config's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.config.settings import Config, RuleSettings, families
from pipeline.model.spec import Spec
from pipeline.plan.recipe import recipe_id
from pipeline.sources.globs import Globs


@dataclass(frozen=True, slots=True)
class RenditionSet:
    """The renditions of some pictures, in the order of the config. A picture gets all of one set and no others."""

    specs: tuple[Spec, ...]
    recipes: tuple[str, ...]
    rule: int = 0  # the number of the rule that asks for them; 0: the config itself


class Rules:
    """The sets of one config, `sets[n]` that of its rule number n, and which of them each picture gets."""

    def __init__(self, specs: Iterable[Spec], rules: Sequence[RuleSettings] = ()) -> None:
        self.sets = tuple(_set(each, at) for at, each in enumerate((tuple(specs), *(rule.specs for rule in rules))))
        self._globs = tuple(Globs(rule.match) for rule in rules)

    def of(self, source: str) -> RenditionSet:
        """The set of one picture."""
        for number, globs in enumerate(self._globs, start=1):
            if globs.covers(source):
                return self.sets[number]
        return self.sets[0]

    def split(self, folder: str, names: Sequence[str]) -> list[tuple[RenditionSet, Sequence[str]]]:
        """The files `names` in `folder` by their sets, each part in the order of `names`."""
        if not self._globs:
            return [(self.sets[0], names)]
        prefix = f"{folder}/" if folder else ""
        parts: dict[int, list[str]] = {}
        for name in names:
            parts.setdefault(self.of(prefix + name).rule, []).append(name)
        return [(self.sets[number], part) for number, part in parts.items()]


def families_of(config: Config) -> Callable[[str], Mapping[str, Sequence[Spec]]]:
    """A function that gives the families of a picture, each with its specs in the order of the config."""
    rules = Rules(config.specs, config.rules)
    each = [families(rule_set.specs) for rule_set in rules.sets]
    return lambda source: each[rules.of(source).rule]


def names_of(config: Config) -> Callable[[str], Collection[str]]:
    """A function that gives the names of the renditions that a picture gets."""
    rules = Rules(config.specs, config.rules)
    each = [frozenset(spec.name for spec in rule_set.specs) for rule_set in rules.sets]
    return lambda source: each[rules.of(source).rule]


def _set(specs: tuple[Spec, ...], rule: int) -> RenditionSet:
    return RenditionSet(specs, tuple(recipe_id(spec, specs) for spec in specs), rule)
