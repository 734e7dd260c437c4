"""The plan: source x manifest x recipes -> jobs with their reasons, in two passes.

The first pass lists all names, so that two sources that would make one target are found before either is rendered. The
second pass goes through them folder by folder, about a thousand names at a time, and compares stats with the manifest's
records: by whole chunks first (`glance`), source by source where anything differs. It is a generator: a job is yielded
as soon as its chunk has been compared. Sources that can wait (`order`) come last.
"""

from __future__ import annotations

import functools
import itertools
import operator
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.config.settings import Config, Order, SourceSettings
from pipeline.errors import PictureError, SourceTrouble
from pipeline.manifest.failures import KnownFailure
from pipeline.manifest.others import claimed as others_claims
from pipeline.model.job import Job
from pipeline.model.only import Only
from pipeline.model.record import KnownSource, Reason, Record, Status
from pipeline.model.source import Stat
from pipeline.plan.counts import Counts
from pipeline.plan.decision import Facts, decide, unclaimed
from pipeline.plan.failures import failure_key, known_failure, without_known_failures
from pipeline.plan.glance import Glance
from pipeline.plan.memory import Memory
from pipeline.plan.naming import Naming, name_hash
from pipeline.plan.options import PlanOptions
from pipeline.plan.order import Aside
from pipeline.plan.orphans import Leftovers, Orphan
from pipeline.plan.reasons import nothing_to_do, reasons, tolerated
from pipeline.plan.rules import Rules
from pipeline.plan.settling import Settling
from pipeline.plan.shard import Asked
from pipeline.plan.survey import (
    Survey,
    holds_nothing,
    idle_rules,
    is_below,
    nothing_asked,
    nothing_chosen,
)
from pipeline.plan.turns import by_host, in_turns
from pipeline.plan.without_work import NO_STAT, WithoutWork
from pipeline.sources.globs import Globs
from pipeline.sources.source import Folder, Grown, Source, Unsupported, Vanished
from pipeline.targets.target import Target


class Planner:
    """Plans one run, in one thread: `decisions` yields everything there is to do, once.

    The order is that of (folder, name), each by bytes, so that a folder's files come together and every run has the
    same order. Of a list of URLs, hosts take turns (`turns`). Sources that the config's `order` sets aside come after
    all others.

    A source with something to make becomes a `Job`. A `Record` is made where nothing has to be read: for a collision, a
    target that is not ours, a deferred source, a folder that cannot be listed, an entry that is not a regular file.
    """

    def __init__(
        self,
        config: Config,
        memory: Memory,
        options: PlanOptions,
        source: Source,
        target: Target,
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_tick` is called for every folder and chunk, and may raise."""
        self.counts = Counts()
        self.warnings: list[str] = []  # about patterns that match nothing; final when the plan is complete
        self.complete = False  # every source has been decided about; before, `orphans` and `gone` are partial
        self._config = config
        self._memory = memory
        self.options = options
        self._source = source
        self._target = target
        self._asked = Asked(Globs(options.only), options.shard)
        self._rules = Rules(config.specs, config.rules)
        self._naming = Naming(config.target, self._rules)
        self._glance = Glance(memory, source, target, self._naming, asked=self._asked, force=options.force)
        self._on_tick = on_tick
        self._survey: Survey | None = None
        self._without_work: WithoutWork  # from the first pass on
        self._apart: frozenset[str] = frozenset()  # sources to look at: collisions, and what another `only` had taken
        self._leftovers = Leftovers()
        self._aside = Aside(config.order)
        self._settling = Settling(config)
        self._not_asked = 0  # sources that `only` leaves out

    @property
    def renditions(self) -> Collection[str]:
        """The names of the config's renditions, those of its rules, too."""
        return self._config.rendition_names

    @property
    def orphans(self) -> list[Orphan]:
        """Files of ours that nothing asks for any more."""
        return self._leftovers.orphans

    @property
    def missing(self) -> list[str]:
        """Remembered sources that are gone and had failed: their failures can be forgotten."""
        return self._leftovers.missing

    @property
    def gone(self) -> list[str]:
        """Remembered sources that are gone and have left no files: they can be forgotten."""
        return self._leftovers.gone

    @property
    def unlistable(self) -> tuple[str, ...]:
        """The folders that could not be listed, "" for the source itself. Renditions of their files are no orphans."""
        return tuple(path.rstrip("/") for path in self._survey.unlistable()) if self._survey else ()

    @property
    def left_out(self) -> list[Record]:
        """Records of the folders of which nothing is an input, paths with a last slash. Reported, never stored."""
        folders = self._survey.left_out() if self._survey else {}
        return [Record(f"{path}/", NO_STAT, Status.SKIPPED, warnings=(why,)) for path, why in folders.items()]

    @property
    def empty(self) -> bool:
        """Whether the source holds no files, or has not been listed."""
        return self._survey is None or holds_nothing(self._survey.folders.values())

    def wanted(self, targets: Iterable[str]) -> set[str]:
        """Those of `targets` that some picture of the source makes. To be called after `decisions`."""
        asked = set(targets)
        if self._survey is None or not asked:
            return asked
        contested = {name_hash(target) for target in asked if self._survey.index.holds(target)}
        if not contested:
            return set()
        return asked & {target for sharing in self._survey.makers(contested).values() for _, target in sharing}

    def decisions(self) -> Iterator[Job | Record]:
        """Both passes: list all names, then decide about each source.

        Raises `SourceTrouble` where the source is missing, or empty although pictures are known, and `TargetTrouble`
        where the target cannot be read.
        """
        self._source.remember(self._memory)
        self._survey = survey = Survey(
            self._source,
            (self._config.target.where,),
            self._memory,
            self._naming,
            self.counts,
            self._on_tick,
            self._only,
        )
        self.warnings = list(filter(None, (self._unchosen(survey, source) for source in self._config.sources)))
        collisions = survey.collisions()
        self._without_work = WithoutWork(
            self.options, self.counts, self._leftovers, collisions, self._settling, self._only, survey.is_picture
        )
        self._apart = frozenset(collisions).union(
            outside
            for source in self._config.sources
            if source.only is not None
            for outside in self._memory.outside(source.only, source.prefix)
        )
        limit = self.options.limit
        if limit is not None and limit <= 0:
            return
        for decision in itertools.chain(self._second_pass(survey), self._set_aside(survey)):
            if isinstance(decision, Job):
                self.counts.jobs += 1
                self.counts.bytes += decision.stat.size
            yield decision
            if limit is not None and self.counts.jobs >= limit:
                return
        if self.options.only and self._not_asked == self.counts.sources:
            unasked = nothing_asked(self._config.source_paths, self.options.only, survey.folders.values())
            self.warnings += filter(None, [unasked])
        if self.options.look:  # a run does not repeat it each night: a folder may be empty for a while
            self.warnings += idle_rules(self._config.rules, survey.rules)
        self._leftovers.settle(survey.index, survey.makers)
        self.counts.orphans = len(self.orphans)
        self.complete = True

    @functools.cached_property
    def _key(self) -> str:
        """The key that failures depend on, computed when the first one is met: it takes 50 ms."""
        return failure_key(self._config.limits)

    def _unchosen(self, survey: Survey, settings: SourceSettings) -> str:
        """One line where the config's patterns leave nothing of one source; "" otherwise.

        Raises `SourceTrouble` where that source holds nothing although the manifest knows pictures of it.
        """
        folders = survey.of(settings.prefix)
        unchosen = nothing_chosen(settings, folders)
        if holds_nothing(folders) and self._remembers(settings.prefix):
            known = "although the manifest knows pictures of it"
            raise SourceTrouble(
                f"{unchosen}, {known}"
                if unchosen
                else f"the source {settings.place} holds no files, {known} (is its disk mounted?)"
            )
        return unchosen

    # -- the second pass

    def _second_pass(self, survey: Survey) -> Iterator[Job | Record]:
        unlistable = survey.unlistable()
        paths = sorted({*survey.folders, *self._memory.folders()}, key=os.fsencode)
        groups = by_host(paths, str, self._lists_in_turns)
        yield from in_turns(self._folders(survey, group, unlistable) for group in groups)

    @property
    def _lists_in_turns(self) -> Sequence[SourceSettings]:
        """The sources whose hosts take turns, if they are lists: all, unless the config has an order of its own."""
        return self._config.sources if self._config.order is Order.AUTO else ()

    def _folders(self, survey: Survey, paths: Iterable[str], unlistable: tuple[str, ...]) -> Iterator[Job | Record]:
        for path in paths:
            folder = survey.folders.get(path)
            if folder is not None and folder.error is not None:
                yield Record(path, NO_STAT, Status.FAILED, error=folder.error)
            elif folder is not None:
                yield from self._folder(folder, unlistable)
            elif not f"{path}/".startswith(unlistable):
                self._missing(self._memory.known_sources(path), unlistable)

    def _folder(self, folder: Folder, unlistable: tuple[str, ...]) -> Iterator[Job | Record]:
        for chunk in self._glance.chunks(folder, self._apart):
            self._on_tick()
            self._missing(chunk.missing, unlistable)
            self._nothing_to_do(chunk.unchanged, chunk.renditions)
            self._not_asked += chunk.not_asked
            self.counts.seen += chunk.unchanged + chunk.not_asked
            if chunk.names:
                yield from self._chunk(folder, chunk.names, chunk.known)

    def _set_aside(self, survey: Survey) -> Iterator[Job | Record]:
        """The sources that the second pass set aside, with stats taken anew: hours may have passed."""
        aside, self._aside = self._aside, Aside(Order.PATH)
        groups = by_host(aside.batches(), operator.itemgetter(0), self._lists_in_turns)
        yield from in_turns(self._batches(survey, group) for group in groups)

    def _batches(self, survey: Survey, batches: Iterable[tuple[str, list[str]]]) -> Iterator[Job | Record]:
        for path, names in batches:
            self._on_tick()
            known: dict[str, KnownSource] = {}
            for name in names:
                known |= self._memory.known_sources(path, name[:-1] or None, name)
            yield from self._chunk(survey.folders[path], names, known)

    def _chunk(self, folder: Folder, names: Sequence[str], known: dict[str, KnownSource]) -> Iterator[Job | Record]:
        """Decide about `names`, except those that are set aside. `known` holds what is remembered of them."""
        sources = folder.sources(names)
        stats = self._source.stats(folder.path, names, folder.sidecars)
        early: dict[str, Record] = {}
        waiting: list[tuple[str, str, Stat]] = []
        for name, source, stat in zip(names, sources, stats, strict=True):
            records = self._without_work.records(source, stat, folder.skipped.get(name), known.get(source))
            if stat is not None and records is None:
                waiting.append((name, source, stat))
            for record in records or ():
                early[source] = record
        due, later = self._facts(folder, waiting, known, early)
        yield from self._in_order([source for source in sources if source not in later], early, due)

    def _facts(
        self,
        folder: Folder,
        waiting: Sequence[tuple[str, str, Stat]],
        known: dict[str, KnownSource],
        early: dict[str, Record],
    ) -> tuple[dict[str, Facts], set[str]]:
        """The facts of the sources that have something to do now, and the sources that are set aside.

        Known failures become records in `early`.
        """
        targets = self._naming.targets(folder.path, [name for name, _, _ in waiting])
        stats = self._target.stats([target for of_source in targets for target in of_source])
        force = self.options.force
        due: dict[str, Facts] = {}
        later: set[str] = set()
        at = unchanged = renditions = 0
        for (_, source, stat), of_source in zip(waiting, targets, strict=True):
            files = stats[at : at + len(of_source)]
            at += len(of_source)
            remembered = tolerated(known.get(source), truncated=self._config.limits.truncated)
            remembered = self._settled(remembered, source, stat)
            its_set = self._rules.of(source)
            names = (spec.name for spec in its_set.specs)
            wanted = tuple(zip(names, of_source, its_set.recipes, strict=True))
            if not force and nothing_to_do(remembered, stat, wanted, files):
                unchanged += 1
                renditions += len(wanted)
                continue
            why = reasons(remembered, stat, wanted, files, force=force)
            failures: Mapping[str, KnownFailure] = {}
            if remembered is not None and Reason.RETRY in why and (failures := self._memory.failures.of(source)):
                why = without_known_failures(why, remembered, stat, wanted, files, failures, self._key)
            settled = all(reason in (Reason.UNCHANGED, Reason.KNOWN_FAILURE) for reason in why)
            facts = Facts(source, stat, remembered, its_set, of_source, files, why, failures)
            if not settled and self._aside.takes(facts):
                later.add(source)
                continue
            if remembered is not None:
                self._leftovers.of(remembered, "rendition gone", {(name, target) for name, target, _ in wanted})
            if not settled:
                due[source] = facts
            elif Reason.KNOWN_FAILURE in why:
                self.counts.reasons.update(why)
                early[source] = known_failure(source, stat, failures)
            else:
                unchanged += 1
                renditions += len(wanted)
        self._nothing_to_do(unchanged, renditions)
        return due, later

    def _settled(self, known: KnownSource | None, source: str, stat: Stat) -> KnownSource | None:
        """What is remembered of a source, settled if its content is still the same.

        With `look`, a source that was recorded too soon after its last change is read again, as a run would do, so that
        the plan does not show it as `source changed`.
        """
        if not self.options.look or known is None or known.settled or not known.stat.same_content(stat):
            return known
        try:
            with self._source.read(source, stat, self._config.limits) as picture:
                same = (picture.content or picture.sha256) == known.made_from
        except (PictureError, Vanished, Unsupported, Grown):
            return known
        return replace(known, settled=same)

    def _nothing_to_do(self, sources: int, renditions: int) -> None:
        self.counts.unchanged += sources
        self.counts.reasons[Reason.UNCHANGED] += renditions

    def _in_order(
        self, sources: Sequence[str], early: dict[str, Record], due: dict[str, Facts]
    ) -> Iterator[Job | Record]:
        unknown = [target for facts in due.values() for target in unclaimed(facts)]
        foreign = set(unknown) - self._memory.claimed(unknown) if unknown else set()
        others = others_claims(self._config, foreign) if foreign and (self.options.adopt or self.options.look) else {}
        self.counts.unknown += len(foreign) - len(others)
        for source in sources:
            self.counts.seen += 1
            if source in early:
                yield early[source]
            elif source in due:
                facts = due[source]
                if settle := self._settling.seconds(source, facts.stat):
                    why = f"it was changed within the last {settle:g} s"
                    yield Record(source, facts.stat, Status.DEFERRED, warnings=(why,))
                    continue
                self.counts.reasons.update(facts.reasons)
                only = self._only(source)
                yield decide(facts, foreign, others, self._config.target, adopt=self.options.adopt, only=only)

    def _only(self, source: str) -> Only | None:
        settings = self._config.source_of(source)
        return None if settings is None else settings.only

    # -- leftovers

    def _missing(self, known: dict[str, KnownSource], unlistable: tuple[str, ...]) -> None:
        """Note the remembered sources that are gone."""
        for source, remembered in known.items():
            if (self._asked and not self._asked.covers(source)) or f"{source}/" in unlistable:
                continue  # not asked about; or a folder that could not be listed before and still cannot
            self._leftovers.of_missing(remembered)
        self.counts.orphans = len(self.orphans)

    def _remembers(self, prefix: str) -> bool:
        """Whether the manifest knows pictures of the source with this prefix."""
        return any(
            source.renditions
            for folder in self._memory.folders()
            if is_below(folder, prefix)
            for source in self._memory.known_sources(folder).values()
        )
