"""Compares recipes on a sample of a folder: the sample is drawn, rendered by each of them, and measured.

Nothing of a target or a manifest is touched or read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import SourceTrouble, TargetTrouble, UsageError, printable
from pipeline.model.job import Job
from pipeline.plan.options import PlanOptions
from pipeline.run.compare.asking import asking
from pipeline.run.compare.recipes import Recipe, backgrounds, references
from pipeline.run.compare.rendering import Made, Results, in_scratch, rendered
from pipeline.run.compare.strata import CANDIDATES, Picked, Sample, drawn
from pipeline.run.preview import planned
from pipeline.run.stop import Stop, on_signals
from pipeline.run.tune.sample import Strata
from pipeline.sources.opening import source_of


@dataclass(frozen=True, slots=True)
class Case:
    """One rendition of one picture: its reference, and what each recipe made of it (None: it has no such rendition)."""

    picture: Picked
    rendition: str
    references: tuple[Made | None, ...]  # for each recipe; equal where the recipes ask for the same pixels
    made: tuple[Made | None, ...]  # for each recipe


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing `recipes`. The files of the cases are there until the block of `compared` ends."""

    recipes: tuple[Recipe, ...]
    sample: Sample
    cases: tuple[Case, ...]  # by picture, then in the order of the recipes' renditions
    warnings: tuple[str, ...]

    @property
    def renditions(self) -> tuple[str, ...]:
        """The names of all renditions, in the order of the recipes."""
        return tuple(dict.fromkeys(name for recipe in self.recipes for name in recipe.names))


@contextmanager
def compared(
    recipes: Sequence[Recipe], size: int, only: Sequence[str], watch: Callable[[str, float], None]
) -> Iterator[Comparison]:
    """Compare `recipes` on about `size` pictures of the first one's source, those that match `only`.

    `watch` is called with what is being done and the share of the work that is done. Raises `PipelineError`: `Stopped`,
    troubles of the source, `TargetTrouble` where the scratch folder cannot be written, `UsageError` where a source
    is no folder.
    """
    if any(not source.is_folder for source in recipes[0].config.sources):
        raise UsageError("only folders can be compared: servers and stores would have to send each picture many times")
    stop = Stop()
    try:
        scratch = tempfile.TemporaryDirectory(prefix="pipeline-compare-", ignore_cleanup_errors=True)
    except OSError as error:
        raise TargetTrouble(f"no folder for scratch files: {error.strerror} (TMPDIR names another one)") from error
    with scratch as folder, on_signals(stop):
        yield _Comparing(tuple(recipes), Path(folder), stop, watch).done(size, only)


class _Comparing:
    def __init__(
        self, recipes: tuple[Recipe, ...], folder: Path, stop: Stop, watch: Callable[[str, float], None]
    ) -> None:
        sources = recipes[0].config.sources
        self._recipes = tuple(replace(recipe, config=replace(recipe.config, sources=sources)) for recipe in recipes)
        self._folder = folder
        self._stop = stop
        self._watch = watch
        self._scratch = 0
        self._warnings: list[str] = []

    def done(self, size: int, only: Sequence[str]) -> Comparison:
        sample = self._sample(size, only)
        sources = [picture.source for picture in sample.pictures]
        references = self._references(sources)
        made = [self._rendered(recipe.config, sources, recipe.name) for recipe in self._recipes]
        scored = self._scored(references, made)
        names = dict.fromkeys(name for recipe in self._recipes for name in recipe.names)
        cases = [
            Case(picture, name, tuple(some.get(key) for some in references), made_of_it)
            for picture in sample.pictures
            for name in names
            if any(made_of_it := tuple(some.get(key := (picture.source, name)) for some in scored))
        ]
        return Comparison(self._recipes, sample, tuple(cases), tuple(dict.fromkeys(self._warnings)))

    def _sample(self, size: int, only: Sequence[str]) -> Sample:
        config = in_scratch(self._recipes[0].config, self._new_folder())
        source = source_of(config.sources)
        source.check()
        strata = Strata(size * CANDIDATES, 0)
        with planned(config, PlanOptions(only=tuple(only))) as planner:
            for decision in planner.decisions():
                self._stop.check()
                if isinstance(decision, Job) and decision.planned:
                    strata.add(decision)
        place = printable(config.source_paths)
        if not strata.pictures:
            raise SourceTrouble(f"there is no picture to compare with in {place}")
        count = iter(range(1, strata.pictures + 1))
        most = min(strata.pictures, size * CANDIDATES)
        with asking(config, self._stop, lambda: self._watch("headers", min(1.0, next(count) / most))) as children:
            sample = drawn(strata, size, lambda jobs: children.looks(source, jobs))
        if not sample.pictures:
            raise SourceTrouble(f"no picture in {place} can be read: pipeline run tells why")
        return sample

    def _references(self, sources: Sequence[str]) -> list[Results]:
        """The references for each recipe. Recipes that ask for the same pixels share them."""
        made: dict[tuple[object, ...], Results] = {}
        results: list[Results] = []
        for recipe in self._recipes:
            config, names = references(recipe.config)
            if (key := config.spec_sets) not in made:
                made[key] = self._rendered(config, sources, "references")
            results.append(
                {
                    (source, name): result
                    for source in sources
                    for name, first in names(source).items()
                    if (result := made[key].get((source, first)))
                }
            )
        return results

    def _rendered(self, config: Config, sources: Sequence[str], what: str) -> Results:
        scratch = in_scratch(config, self._new_folder())
        results, warnings = rendered(
            scratch, sources, self._stop, lambda done: self._watch(what, min(1.0, done / len(sources)))
        )
        self._warnings += warnings
        return results

    def _scored(self, references: Sequence[Results], made: Sequence[Results]) -> list[Results]:
        """`made`, with the scores."""
        wanted: list[tuple[int, tuple[str, str]]] = []
        pairs: list[tuple[Path, Path, str]] = []
        for number, (recipe, some) in enumerate(zip(self._recipes, made, strict=True)):
            background = backgrounds(recipe.config)
            for key, rendition in some.items():
                beside = references[number].get(key)
                if rendition.file and beside and beside.file:
                    wanted.append((number, key))
                    pairs.append((beside.file, rendition.file, background(*key)))
        count = iter(range(1, len(pairs) + 1))
        with asking(
            self._recipes[0].config, self._stop, lambda: self._watch("similarity", next(count) / len(pairs))
        ) as children:
            scores = children.scores(pairs)
        scored = [dict(some) for some in made]
        for (number, key), score in zip(wanted, scores, strict=True):
            scored[number][key] = replace(scored[number][key], score=score)
        return scored

    def _new_folder(self) -> Path:
        self._scratch += 1
        return self._folder / str(self._scratch)
