"""The wiring of a model, read off its reactions: which node activates or inhibits which, and where inputs act.

Forms of one molecule that turn into each other (``AKT``, ``AKT_T308``, ...) are one node, and so is a rule that brings
several molecules together (the activity of a complex). The sign of an edge is the sign of the derivative of a rate,
taken at several points, times what the reaction does to its molecule: raise or lower the forms that act on others.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from .maths import Expr, evaluate, nodes, symbols
from .records import Model, Reaction

_POINTS = 6
_INPUT = re.compile(r"^drug_on_(?P<site>\w+)$")


class Effect(Enum):
    """What more of one node does to another."""

    ACTIVATES = "activates"
    INHIBITS = "inhibits"
    MODULATES = "modulates"


class Kind(Enum):
    """What a node of the network is."""

    MOLECULE = "molecule"
    INPUT = "input"
    SITE = "drug site"


@dataclass(frozen=True, slots=True)
class Edge:
    """More of ``origin`` has ``effect`` on ``target``; ``through`` names the reactions or rules that say so."""

    origin: str
    target: str
    effect: Effect
    through: str


@dataclass(frozen=True, slots=True)
class Wiring:
    """Nodes with their kind and the symbols they stand for, and the edges between them."""

    kinds: Mapping[str, Kind]
    members: Mapping[str, tuple[str, ...]]
    edges: tuple[Edge, ...]


def wiring(model: Model) -> Wiring:
    """The signed influence graph of ``model``."""
    return _Reader(model).read()


def modifiers(model: Model) -> dict[str, dict[str, Effect]]:
    """For each reaction the species and inputs that its rate depends on besides its reactants, through rules too, and
    what more of each does to the rate."""
    reader = _Reader(model)
    return {reaction.id: reader.modifiers(reaction) for reaction in model.reactions}


class _Reader:
    """Works from symbols to nodes: ``home`` says which node each species or rule belongs to."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.values = _typical_values(model)
        self.rules = dict(model.rules)
        self.home: dict[str, str] = {}
        self.joined: dict[str, str] = {}
        self.bound: dict[tuple[str, str], str] = {}
        self.used = _symbols_of_rates(model)
        self.inputs = _inputs(model, self.used)
        self.flows = {item.name for item in model.annotations if item.is_rule and "/min" in item.unit}
        self._group_species()
        self._place_pools()
        self._place_rules()
        self._absorb_parts()
        self.acting = self._acting_forms()
        self._name_after_acting_forms()

    def _group_species(self) -> None:
        """Species joined by conversions (one species in, one out) are one molecule, named by its unmodified form."""
        parent = {species.id: species.id for species in self.model.species}

        def root(name: str) -> str:
            while parent[name] != name:
                name = parent[name]
            return name

        for reaction in self.model.reactions:
            changed = _changed(reaction)
            if len(changed.reactants) == 1 and len(changed.products) == 1:
                parent[root(changed.products[0])] = root(changed.reactants[0])
        groups: dict[str, list[str]] = {}
        for species in self.model.species:
            groups.setdefault(root(species.id), []).append(species.id)
        for group in groups.values():
            name = _name(group)
            self.home.update(dict.fromkeys(group, name))

    def _place_pools(self) -> None:
        """Totals that act without ever changing, such as a phosphatase, are molecules too."""
        molecules = set(self.home.values())
        for name in sorted(self.used):
            stem = name.removesuffix("_total")
            if stem != name and stem not in molecules and name not in self.home and name in self.values:
                self.home[name] = stem

    def _place_rules(self) -> None:
        """A rule that depends on one node is part of it; one that brings several together is a node of its own.

        Rules that are rates (1/min) are neither: what is behind them acts directly.
        """
        waiting = {name: self._sources(name) for name in self.rules if name not in self.home}
        while waiting:
            ready = [name for name, sources in waiting.items() if not sources & waiting.keys()] or list(waiting)
            for name in ready:
                origins = {self.home[source] for source in waiting.pop(name) if source in self.home}
                if len(origins) == 1:
                    self.home[name] = origins.pop()
                elif origins and name in self.used and name not in self.flows:
                    self.home[name] = _plain(name)

    def _sources(self, rule: str) -> set[str]:
        return symbols(self.rules[rule]) & ({*self.rules} | self.home.keys())

    def _is_node(self, rule: str) -> bool:
        """Whether ``rule`` is a node of its own rather than part of a molecule."""
        return rule in self.rules and rule in self.home and self.home[rule] in (_plain(rule), self.joined.get(rule))

    def _absorb_parts(self) -> None:
        """A molecule that only carries the activity of a rule (a factor of it and nowhere else) is the same node."""
        for rule, formula in self.rules.items():
            if self.home.get(rule) != _plain(rule) or rule in self.model.species_by_id:
                continue
            for factor in _factors(formula):
                node = self.home.get(factor, "")
                if node and node != self.home[rule] and self._only_in(node, rule):
                    self.joined[rule] = node
                    self.home.update({name: node for name, home in self.home.items() if home == _plain(rule)})

    def _only_in(self, node: str, rule: str) -> bool:
        """Whether the forms of ``node`` act on nothing but ``rule``, and stand in it once."""
        forms = {name for name, home in self.home.items() if home == node}
        if sum(part.name in forms for part in nodes(self.rules[rule])) != 1:
            return False
        elsewhere = [
            r.rate for r in self.model.reactions if not forms & {*_changed(r).reactants, *_changed(r).products}
        ]
        elsewhere += [formula for name, formula in self.rules.items() if name != rule and name in self.used]
        return not any(forms & symbols(formula) for formula in elsewhere)

    def read(self) -> Wiring:
        """The finished graph."""
        found: dict[tuple[str, str], list[_Sign]] = {}
        for reaction in self.model.reactions:
            self._read_reaction(reaction, found)
        for rule in self.rules:
            if rule in self.used and self._is_node(rule):
                self._note(self.rules[rule], {self.home[rule]: _Way(1.0, True)}, rule, found)
        for (drug, node), rule in self.bound.items():
            found[drug, node] = [_Sign(self._sign(self.rules[rule], {drug}), True, rule)]
        edges = tuple(
            Edge(origin, target, _effect(signs), ", ".join(dict.fromkeys(item.through for item in _primary(signs))))
            for (origin, target), signs in found.items()
            if origin != target
        )
        shown = {name for edge in edges for name in (edge.origin, edge.target)}
        members: dict[str, list[str]] = {name: [] for name in shown}
        for name, home in self.home.items():
            if home in members:
                members[home].append(name)
        kinds = {
            name: Kind.SITE if _INPUT.match(name) else Kind.INPUT if name in self.inputs else Kind.MOLECULE
            for name in sorted(shown)
        }
        return Wiring(kinds, {name: tuple(members[name]) for name in kinds}, edges)

    def _acting_forms(self) -> set[str]:
        """Species that change the rate of something outside their own molecule, directly or through rules."""
        acting: set[str] = set()
        for reaction in self.model.reactions:
            changed = _changed(reaction)
            own = {self.home[name] for name in (*changed.reactants, *changed.products) if name in self.home}
            for name in self._deep_symbols(reaction.rate) & self.model.species_by_id.keys() - acting:
                if self.home[name] not in own and self._responds(reaction.rate, name):
                    acting.add(name)
        return acting

    def _responds(self, formula: Expr, name: str) -> bool:
        """Whether ``formula`` changes with ``name`` when nothing is in the medium."""
        low, high = (self._value(formula, {name: factor}, {}, 0.0) for factor in (1.0, 1.3))
        return math.isfinite(low) and math.isfinite(high) and abs(high - low) > 1e-9 * abs(low)

    def _name_after_acting_forms(self) -> None:
        """A molecule whose forms have no common name (PIP2, PIP3) is named by the first form that acts on others."""
        for node in sorted(set(self.home.values())):
            forms = [name for name, home in self.home.items() if home == node and name in self.model.species_by_id]
            acting = [name for name in forms if name in self.acting]
            if len(forms) > 1 and node in forms and acting and not all(node in name for name in forms):
                renamed = _plain(acting[0])
                self.home = {name: renamed if home == node else home for name, home in self.home.items()}
                self.joined = {rule: renamed if home == node else home for rule, home in self.joined.items()}

    def _deep_symbols(self, formula: Expr) -> set[str]:
        found: set[str] = set()
        waiting = [formula]
        while waiting:
            for name in symbols(waiting.pop()) - found:
                found.add(name)
                if name in self.rules:
                    waiting.append(self.rules[name])
        return found

    def modifiers(self, reaction: Reaction) -> dict[str, Effect]:
        """What else changes the rate of a reaction, and how."""
        own = {participant.species for participant in reaction.reactants}
        changing = {species.id for species in self.model.species} | self.inputs
        found = {}
        for name in sorted(self._deep_symbols(reaction.rate) & changing - own):
            sign = self._sign(reaction.rate, {name})
            found[name] = Effect.ACTIVATES if sign > 0 else Effect.INHIBITS if sign < 0 else Effect.MODULATES
        return found

    def _read_reaction(self, reaction: Reaction, found: dict[tuple[str, str], list[_Sign]]) -> None:
        changed = _changed(reaction)
        effects: dict[str, float] = {}
        for name, way in [*((n, -1.0) for n in changed.reactants), *((n, 1.0) for n in changed.products)]:
            if name in self.home:
                node = self.home[name]
                effects[node] = effects.get(node, 0.0) + way * (name in self.acting)
        ways = {
            node: _Way(effect, True) if effect else _Way(self._modification(changed, node), False)
            for node, effect in effects.items()  # 0: between two forms that both act, or neither
        }
        self._note(reaction.rate, ways, reaction.id, found)

    def _modification(self, changed: _Changed, node: str) -> float:
        """+1 towards the modified forms when these are the ones that act, else -1."""
        forms = [name for name, home in self.home.items() if home == node and name in self.model.species_by_id]
        resting = {name for name in forms if self.values.get(f"initial {name}", 0.0) > 0}
        polarity = -1.0 if resting & self.acting else 1.0
        if not changed.reactants or not changed.products:
            return 1.0 if changed.products else -1.0
        step = (changed.products[0] not in resting) - (changed.reactants[0] not in resting)
        return polarity * (step or 1.0)

    def _note(
        self, formula: Expr, ways: Mapping[str, _Way], through: str, found: dict[tuple[str, str], list[_Sign]]
    ) -> None:
        """Add what ``formula`` (a rate, or a rule that is a node) says about the nodes it changes."""
        for origin, names in self._origins(formula, set(ways)).items():
            sign = self._sign(formula, names)
            for node, way in ways.items():
                if origin != node and way.effect:
                    signed = sign * math.copysign(1.0, way.effect)
                    found.setdefault((origin, node), []).append(_Sign(signed, way.primary, through))

    def _origins(self, formula: Expr, targets: set[str]) -> dict[str, set[str]]:
        """Nodes and inputs behind ``formula`` with the symbols through which they act, rules of molecules written out.

        A drug in the rule of the molecule it binds acts on that molecule, not on what comes after it.
        """
        origins: dict[str, set[str]] = {}
        waiting: list[tuple[Expr, str, str]] = [(formula, "", "")]
        seen: set[str] = set()
        while waiting:
            part, inside, rule = waiting.pop()
            for name in sorted(symbols(part) - seen):
                seen.add(name)
                if name in self.inputs:
                    site = _INPUT.match(name)
                    if site and inside and inside not in targets and site["site"].startswith(inside):
                        self.bound[name, inside] = rule
                    else:
                        origins.setdefault(name, set()).add(name)
                elif name in self.rules and not (self._is_node(name) and self.home[name] not in targets):
                    home = self.home.get(name)
                    waiting.append((self.rules[name], home or inside, name if home else rule))
                elif name in self.home:
                    origins.setdefault(self.home[name], set()).add(name)
        return origins

    def _sign(self, formula: Expr, names: set[str]) -> float:
        """+1 or -1 when ``formula`` rises or falls with ``names`` wherever it is looked at, else 0."""
        signs = set()
        for point in range(_POINTS):
            rng = random.Random(point)
            # below what is there at the start, so that what is left of a total (total - x) stays positive
            scale = {name: 10.0 ** rng.uniform(-3, -0.3) for name in sorted(self.values)}
            low = self._value(formula, {}, scale, 1.0)
            high = self._value(formula, dict.fromkeys(names, 1.3), scale, 1.0)
            if math.isfinite(low) and math.isfinite(high) and abs(high - low) > 1e-9 * abs(low):
                signs.add(math.copysign(1.0, high - low))
        return signs.pop() if len(signs) == 1 else 0.0

    def _value(self, formula: Expr, factors: Mapping[str, float], scale: Mapping[str, float], medium: float) -> float:
        """``formula`` with states and inputs at ``scale`` times their typical values, and ``factors`` on top."""

        def lookup(name: str) -> float:
            if name in self.rules and name not in factors:
                return evaluate(self.rules[name], lookup)
            value = self.values.get(name, 1.0)
            if name in self.inputs:
                value = medium * 10.0 * scale.get(name, 0.1)
            elif name in self.rules:
                value = evaluate(self.rules[name], lambda inner: lookup(inner))
            elif name in self.home:
                value *= scale.get(name, 1.0)
            return value * factors.get(name, 1.0)

        return evaluate(formula, lookup)


@dataclass(frozen=True, slots=True)
class _Way:
    """What a reaction does to a node when it goes faster; not primary: only moves it between equal forms."""

    effect: float
    primary: bool


@dataclass(frozen=True, slots=True)
class _Sign:
    sign: float
    primary: bool
    through: str


@dataclass(frozen=True, slots=True)
class _Changed:
    reactants: tuple[str, ...]
    products: tuple[str, ...]


def _changed(reaction: Reaction) -> _Changed:
    """Species on one side only: a catalyst written on both sides is not changed."""
    left = [participant.species for participant in reaction.reactants]
    right = [participant.species for participant in reaction.products]
    return _Changed(tuple(n for n in left if n not in right), tuple(n for n in right if n not in left))


def _symbols_of_rates(model: Model) -> set[str]:
    """Every symbol that a rate depends on, through rules too."""
    found: set[str] = set()
    waiting = [reaction.rate for reaction in model.reactions] + [rule.math for rule in model.rate_rules]
    while waiting:
        for name in symbols(waiting.pop()) - found:
            found.add(name)
            if name in model.rules:
                waiting.append(model.rules[name])
    return found


def _inputs(model: Model, used: set[str]) -> set[str]:
    """Ligands and drug sites: parameters annotated as input that are zero unless something is in the medium."""
    annotated = {item.name for item in model.annotations if item.kind == "input"}
    zero = {parameter.id for parameter in model.parameters if parameter.value == 0 and parameter.id not in model.rules}
    return {name for name in annotated & zero & used if not name.endswith("_total")}


def _typical_values(model: Model) -> dict[str, float]:
    """A positive value for every symbol: its own, or a small one for a species that starts empty."""
    values = {item.id: item.value for item in model.parameters if math.isfinite(item.value)}
    values |= {item.id: item.size for item in model.compartments if math.isfinite(item.size)}
    start = {item.id: item.initial for item in model.species if math.isfinite(item.initial)}
    for rule in model.initial_assignments:
        start[rule.variable] = evaluate(rule.math, lambda name: values.get(name, start.get(name, 1.0)))
    for species in model.species:
        values[f"initial {species.id}"] = start.get(species.id, 0.0)
        values[species.id] = start.get(species.id) or 0.5  # below 1, for species that are shares of something
    return values


def _factors(formula: Expr) -> Iterable[str]:
    """Symbols that the whole of ``formula`` is proportional to."""
    if formula.op == "symbol":
        yield formula.name
    elif formula.op == "times":
        for arg in formula.args:
            yield from _factors(arg)
    elif formula.op == "divide":
        yield from _factors(formula.args[0])


def _plain(name: str) -> str:
    """``mTORC1_active`` -> ``mTORC1``: rules are named for what they measure, nodes for what they are."""
    return re.sub(r"_(active|signal|activity|level)$|^active_", "", name)


def _name(group: list[str]) -> str:
    """The name of a molecule with these forms: what their names have in common, else its first form."""
    bare = [re.sub(r"^p+(?=[A-Z])", "", name) for name in group]
    common = bare[0]
    for name in bare[1:]:
        while not name.startswith(common):
            common = common[:-1]
    if any(len(name) > len(common) and name[len(common)] != "_" for name in bare) and "_" in common:
        common = common[: common.rindex("_")]  # RHEB_GDP and RHEB_GTP are RHEB, not RHEB_G
    common = common.rstrip("_")
    return common if len(common) >= 3 or len(group) == 1 else _plain(group[0])


def _primary(signs: list[_Sign]) -> list[_Sign]:
    return [item for item in signs if item.primary] or signs


def _effect(signs: list[_Sign]) -> Effect:
    distinct = {item.sign for item in _primary(signs)}
    if distinct == {1.0}:
        return Effect.ACTIVATES
    if distinct == {-1.0}:
        return Effect.INHIBITS
    return Effect.MODULATES
