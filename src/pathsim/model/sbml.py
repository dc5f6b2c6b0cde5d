"""The SBML reader: any level and version in, a :class:`~pathsim.model.records.Model` out.

The only module that uses libsbml (:mod:`.libsbml_objects`). Function definitions are written out, local parameters get
the name ``reaction.parameter``, hierarchical models (``comp``) are flattened. What an ordinary-differential-equation
simulator cannot do is refused with a sentence that names the element.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError, UnsupportedModelError, near_misses, raise_together
from ..files import read_bytes
from .annotations import NOTE_CLASS, Annotation, read_comment
from .consistency import inconsistencies
from .libsbml_objects import LIBRARY, conversion, opened
from .maths import ARITY, TIME, Expr, deep_recursion, number, substitute, symbol
from .records import Compartment, Event, Model, Parameter, Participant, Reaction, Rule, Species
from .sbml_prepare import prepare_sbml

_SYMBOLS = "http://sbml.org/annotations/symbols"
"""The annotation by which tools mark functions that stand for a symbol of other levels or packages."""
AVOGADRO = 6.02214179e23  # the value SBML Level 3 fixes


def read_sbml(path: str | Path) -> Model:
    """Read an SBML file.

    Raises :class:`InputError` with file, line and what, or :class:`UnsupportedModelError` naming the element.
    """
    path = Path(path)
    return _read(read_bytes(path), str(path), path)


def parse_sbml(content: str | bytes, source: str = "SBML text", written: bool = True) -> Model:
    """Read SBML from text; ``source`` is what messages call it, with its lines where it is ``written`` so rather
    than made of something else. Raises as :func:`read_sbml`."""
    return _read(content.encode() if isinstance(content, str) else content, source, None, written)


def level3(content: bytes, source: str) -> str:
    """SBML of any level as Level 3 Version 1, submodels written out. Raises as :func:`read_sbml`."""
    with opened(prepare_sbml(content, source).decode()) as document:
        _refuse_broken(document, source)
        _flatten(document, source)
        if not document.setLevelAndVersion(3, 1, False) or document.getModel() is None:
            raise InputError(f"{source}: cannot be written as SBML Level 3")
        return str(LIBRARY.writeSBMLToString(document.made))


def _read(content: bytes, source: str, path: Path | None, written: bool = True) -> Model:
    with opened(prepare_sbml(content, source).decode()) as document, deep_recursion():
        if path is not None:
            document.setLocationURI(f"file:{path.resolve()}")  # where submodels in other files are looked for
        _refuse_broken(document, source)
        _flatten(document, source)
        element = document.getModel()
        if element is None:
            raise InputError(f"{source}: the file holds no model")
        return _Reader(element, source, written).model(hashlib.sha256(content).hexdigest())


def _refuse_broken(document: Any, source: str) -> None:
    count = document.getNumErrors(LIBRARY.LIBSBML_SEV_ERROR) + document.getNumErrors(LIBRARY.LIBSBML_SEV_FATAL)
    if count == 0:
        return
    problems: list[str] = []
    for i in range(document.getNumErrors()):
        error = document.getError(i)
        if error.getSeverity() >= LIBRARY.LIBSBML_SEV_ERROR and not _is_harmless(error, document.getModel()):
            problems.append(f"{source}, line {error.getLine()}: {_specific(error)}")
    raise_together(list(dict.fromkeys(problems))[:10], "not valid SBML")


_HARMLESS = re.compile(
    # what Level 3 asks for and hand-written files leave out; other tools read them too, as the false they are in most
    r"required attribute '(constant|boundaryCondition|hasOnlySubstanceUnits|reversible|fast)' is missing"
    r"|attribute '(timeUnits|substanceUnits)' is not part of the definition of an SBML Level \d Version \d <kineticLaw>"
    r"|\bunit (exponent|scale|multiplier) attribute must be|unit 'Celsius'",
    re.IGNORECASE,
)
_EMPTY_LISTS = (20203, 20413, 21103, 21123)
_LABELS = (10308, 10309, 10311, 20421)
"""Errors of libsbml about terms of ontologies, ids of metadata, names of units and their definitions."""
_BAD_ID = 10310


def _is_harmless(error: Any, model: Any) -> bool:
    """Whether the maths of the model stays what it is, whatever the specification says of the way it is written."""
    if error.getErrorId() == _BAD_ID:  # the name of the whole model, which no formula has
        return model is not None and f"The id '{model.getId()}' does" in error.getMessage()
    return error.getErrorId() in (*_EMPTY_LISTS, *_LABELS) or bool(
        _HARMLESS.search(" ".join(error.getMessage().split()))
    )


def _specific(error: Any) -> str:
    """What is wrong in this file: libsbml's words behind the rule of the specification, where there are any."""
    rule, _, found = error.getMessage().partition("Reference: ")
    words = " ".join(found.partition("\n")[2].split())
    return f"{error.getShortMessage()}: {words}" if words else " ".join((rule or error.getShortMessage()).split())


def _flatten(document: Any, source: str) -> None:
    """Write out submodels."""
    if document.getPlugin("comp") is None:
        return
    with conversion(flatten_comp=True, performValidation=False, leavePorts=False) as properties:
        converted = document.convert(properties)
    if converted != LIBRARY.LIBSBML_OPERATION_SUCCESS:
        log = document.getErrorLog()
        reasons = [
            " ".join(log.getError(i).getMessage().split())
            for i in range(log.getNumErrors())
            if log.getError(i).getSeverity() >= LIBRARY.LIBSBML_SEV_ERROR
        ]
        raise InputError(f"{source}: the submodels cannot be flattened: {'; '.join(reasons) or 'no reason given'}")


class _Reader:
    """Walks one libsbml model."""

    def __init__(self, element: Any, source: str, written: bool) -> None:
        self.element = element
        self.source = source
        self.written = written
        self.functions: dict[str, tuple[list[str], Any]] = {}
        self.bodies: dict[str, Expr] = {}
        self.open: dict[str, list[str]] = {}  # functions that are being written out, with their arguments
        self.meant: dict[str, str] = {}  # functions that stand for what SBML had no word for, with their annotation
        self.older = element.getLevel() < 3
        self.context: tuple[Any, str] = (None, "")  # what is being read and what messages call it

    def model(self, digest: str) -> Model:
        element = self.element
        for item in element.getListOfFunctionDefinitions():
            arguments = [item.getArgument(i).getName() for i in range(item.getNumArguments())]
            self.functions[item.getId()] = (arguments, item.getBody())
            if item.isSetAnnotation() and _SYMBOLS in item.getAnnotationString():
                self.meant[item.getId()] = item.getAnnotationString()
        parameters = [
            Parameter(p.getId(), p.getValue(), bool(p.getConstant()), p.getUnits() or "")
            for p in element.getListOfParameters()
        ]
        reactions = self._reactions(parameters)
        assignment_rules, rate_rules = self._rules()
        initial = tuple(
            Rule(item.getSymbol(), self.math(item.getMath(), f"initial assignment of '{item.getSymbol()}'", item))
            for item in element.getListOfInitialAssignments()
            if item.getMath() is not None
        )
        model = Model(
            id=element.getId() or Path(self.source).stem,
            name=element.getName() or element.getId() or Path(self.source).stem,
            compartments=tuple(self._compartments()),
            species=tuple(self._species()),
            parameters=tuple(parameters),
            reactions=reactions,
            assignment_rules=assignment_rules,
            rate_rules=rate_rules,
            initial_assignments=initial,
            events=self._events(),
            conversion_factor=_text(element, "ConversionFactor"),
            time_unit=_time_unit(element),
            source=self.source,
            digest=digest,
        )
        model = replace(model, annotations=tuple(self._annotations(model)))
        problems = inconsistencies(model)
        raise_together(problems, f"{self.source}: the model cannot be used" if len(problems) > 1 else "")
        return model

    def _annotations(self, model: Model) -> Iterable[Annotation]:
        """What ``sbml_export`` wrote into the notes of symbols."""
        element = self.element
        for group in (element.getListOfCompartments(), element.getListOfSpecies(), element.getListOfParameters()):
            for item in group:
                comment = _comment(item.getNotes()) if item.isSetNotes() else ""
                found = read_comment(comment, item.getId(), item.getLine(), item.getId() in model.rules)
                if found is not None:
                    yield found

    def _compartments(self) -> Iterable[Compartment]:
        for item in self.element.getListOfCompartments():
            size = item.getSize() if item.isSetSize() else 1.0
            dimensions = item.getSpatialDimensionsAsDouble() if item.isSetSpatialDimensions() else 3.0
            yield Compartment(item.getId(), size, dimensions, bool(item.getConstant()), item.getUnits() or "")

    def _species(self) -> Iterable[Species]:
        points = {
            item.getId()
            for item in self.element.getListOfCompartments()
            if item.isSetSpatialDimensions() and item.getSpatialDimensionsAsDouble() == 0
        }
        sizes = {item.getId(): item.getSize() for item in self.element.getListOfCompartments() if item.isSetSize()}
        for item in self.element.getListOfSpecies():
            if item.isSetInitialAmount() and item.isSetInitialConcentration():
                amount, concentration = item.getInitialAmount(), item.getInitialConcentration()
                if not math.isclose(amount, concentration * sizes.get(item.getCompartment(), 1.0), rel_tol=1e-9):
                    words = f"species '{item.getId()}' has the initial amount {amount:g} and, which is another, the "
                    raise InputError(self._at(item, f"{words}initial concentration {concentration:g}; give one"))
            if item.isSetInitialAmount():
                initial, is_amount = item.getInitialAmount(), True
            elif item.isSetInitialConcentration():
                initial, is_amount = item.getInitialConcentration(), False
            else:
                initial, is_amount = float("nan"), True
            yield Species(
                id=item.getId(),
                compartment=item.getCompartment(),
                initial=initial,
                initial_is_amount=is_amount,
                symbol_is_amount=bool(item.getHasOnlySubstanceUnits()) or item.getCompartment() in points,
                boundary=bool(item.getBoundaryCondition()),
                constant=bool(item.getConstant()),
                conversion_factor=_text(item, "ConversionFactor"),
                unit=item.getSubstanceUnits() or "",
                name=item.getName() or "",
            )

    def _reactions(self, parameters: list[Parameter]) -> tuple[Reaction, ...]:
        reactions = []
        for item in self.element.getListOfReactions():
            reaction_id = item.getId()
            where = f"reaction '{reaction_id}'"
            if item.isSetFast() and item.getFast():
                refusal = f"{where} is fast: its equilibrium is outside an ODE simulator"
                raise UnsupportedModelError(self._at(item, refusal))
            law = item.getKineticLaw()
            formula = law.getMath() if law is not None else None
            if formula is None:
                refusal = f"{where} has no kinetic law: without rates (as in flux balance) nothing can be integrated"
                raise UnsupportedModelError(self._at(item, refusal))
            local: dict[str, Expr] = {}
            for j in range(law.getNumParameters()):
                parameter = law.getParameter(j)
                name = f"{reaction_id}.{parameter.getId()}"
                local[parameter.getId()] = symbol(name)
                parameters.append(Parameter(name, parameter.getValue(), True, parameter.getUnits() or ""))
            rate = substitute(self.math(formula, where, item), local)
            reactions.append(
                Reaction(
                    id=reaction_id,
                    reactants=tuple(self._participants(item.getListOfReactants(), where, parameters)),
                    products=tuple(self._participants(item.getListOfProducts(), where, parameters)),
                    modifiers=tuple(sorted(m.getSpecies() for m in item.getListOfModifiers())),  # not as written
                    rate=rate,
                    reversible=bool(item.getReversible()),
                    name=item.getName() or "",
                )
            )
        return tuple(reactions)

    def _participants(self, references: Any, where: str, parameters: list[Parameter]) -> Iterable[Participant]:
        for reference in references:
            value = 1.0  # what every level before 3 says of a stoichiometry left out, and other tools of Level 3
            if self.older:
                value = reference.getStoichiometry() / reference.getDenominator()
            elif reference.isSetStoichiometry():
                value = reference.getStoichiometry()
            formula = reference.getStoichiometryMath() if self.older and reference.isSetStoichiometryMath() else None
            if formula is not None and formula.getMath() is not None:
                amount = self.math(formula.getMath(), where, reference)
            elif not self.older and reference.isSetId():
                amount = symbol(reference.getId())
                parameters.append(Parameter(reference.getId(), value, bool(reference.getConstant())))
            else:
                amount = number(value)
            yield Participant(reference.getSpecies(), amount)

    def _rules(self) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
        assignment: list[Rule] = []
        rate: list[Rule] = []
        for item in self.element.getListOfRules():
            if item.isAlgebraic():
                refusal = "an algebraic rule makes the model differential-algebraic, which is outside an ODE simulator"
                raise UnsupportedModelError(self._at(item, refusal))
            if item.getMath() is None:
                continue
            rule = Rule(item.getVariable(), self.math(item.getMath(), f"rule for '{item.getVariable()}'", item))
            (assignment if item.isAssignment() else rate).append(rule)
        return tuple(assignment), tuple(rate)

    def _events(self) -> tuple[Event, ...]:
        events = []
        for index, item in enumerate(self.element.getListOfEvents()):
            event_id = item.getId() or f"event_{index + 1}"
            where = f"event '{event_id}'"
            trigger = item.getTrigger()
            if trigger is None or trigger.getMath() is None:
                continue  # Level 3 Version 2: such an event never fires
            delay, priority = item.getDelay(), item.getPriority()
            events.append(
                Event(
                    id=event_id,
                    trigger=self.math(trigger.getMath(), f"trigger of {where}", item),
                    assignments=tuple(
                        Rule(a.getVariable(), self.math(a.getMath(), f"{where}, assignment of '{a.getVariable()}'", a))
                        for a in item.getListOfEventAssignments()
                        if a.getMath() is not None
                    ),
                    delay=self._optional(delay, f"delay of {where}"),
                    priority=self._optional(priority, f"priority of {where}"),
                    initially_true=bool(trigger.getInitialValue()) if trigger.isSetInitialValue() else True,
                    persistent=bool(trigger.getPersistent()) if trigger.isSetPersistent() else True,
                    values_from_trigger_time=bool(item.getUseValuesFromTriggerTime()),
                )
            )
        return tuple(events)

    def _optional(self, element: Any, where: str) -> Expr | None:
        if element is None or element.getMath() is None:
            return None
        return self.math(element.getMath(), where, element)

    def math(self, node: Any, where: str, element: Any) -> Expr:
        """libsbml's tree as ours, with function definitions written out."""
        self.context = element, where
        return self._convert(node.made)

    def _convert(self, node: Any) -> Expr:
        """One node of libsbml's, whose functions are called without more ado: most of a file is formulas."""
        kind = _type_of(node)
        if kind == LIBRARY.AST_NAME:
            return symbol(_name_of(node))
        if kind in _NUMBERS:
            return number((LIBRARY.ASTNode_getInteger if kind == LIBRARY.AST_INTEGER else _value_of)(node))
        args = tuple([self._convert(_child_of(node, i)) for i in range(_children_of(node))])
        if kind == LIBRARY.AST_MINUS:
            return self._operation("neg" if len(args) == 1 else "minus", args)
        op = _OPERATIONS.get(kind)
        if op is not None:
            return self._operation(op, args)
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind == LIBRARY.AST_FUNCTION:
            return self._call(_name_of(node), args)
        if kind == LIBRARY.AST_FUNCTION_ROOT:
            return self._operation("root", (number(2), *args) if len(args) == 1 else args)
        if kind == LIBRARY.AST_FUNCTION_LOG:
            return self._operation("log", (number(10), *args) if len(args) == 1 else args)
        if kind == LIBRARY.AST_FUNCTION_RATE_OF:
            return self._rate_of(args)
        if kind == LIBRARY.AST_FUNCTION_DELAY:
            raise UnsupportedModelError(f"{self._here()} uses delay(): delay equations are outside an ODE simulator")
        shown = LIBRARY.formulaToL3String(node)
        raise UnsupportedModelError(f"{self._here()} uses '{shown}', which pathsim does not know")

    def _operation(self, op: str, args: tuple[Expr, ...]) -> Expr:
        """``op`` applied to ``args``, if it takes so many."""
        wanted = ARITY[op]
        least = wanted if isinstance(wanted, int) else wanted[0]
        if len(args) < least or (isinstance(wanted, int) and len(args) > wanted):
            takes = f"{least}" if isinstance(wanted, int) else f"{least} or more"
            raise InputError(f"{self._here()} uses '{op}' with {len(args)} arguments; it takes {takes}")
        return Expr(op, args)

    def _call(self, name: str, args: tuple[Expr, ...]) -> Expr:
        inside = next((one for one, names in self.open.items() if name in names), None)
        if inside is not None or name in self.open:
            words = f"'{inside}', which calls its own argument '{name}'" if inside else f"'{name}', which calls itself"
            raise InputError(f"{self._here()} calls {words}; functions of SBML cannot")
        if name not in self.functions:
            close = near_misses(name, self.functions)
            advice = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"{self._here()} calls '{name}', which is not defined{advice}")
        if name in self.meant:
            return self._meant(name, args)
        names, body = self.functions[name]
        if len(names) != len(args):
            raise InputError(f"{self._here()} calls '{name}' with {len(args)} arguments; it takes {len(names)}")
        if body is None:
            return number(float("nan"))
        if name not in self.bodies:
            self.open[name] = names
            self.bodies[name] = self._convert(body.made)
            del self.open[name]
        return substitute(self.bodies[name], dict(zip(names, args, strict=True)))

    def _rate_of(self, args: tuple[Expr, ...]) -> Expr:
        if len(args) != 1 or args[0].op != "symbol":
            raise InputError(f"{self._here()} uses rateOf(), which takes the name of one symbol")
        return Expr("rate_of", name=args[0].name)

    def _meant(self, name: str, args: tuple[Expr, ...]) -> Expr:
        """A function whose annotation says what it stands for, as COPASI writes rateOf, and random numbers."""
        if "wiki/Derivative" in self.meant[name]:
            return self._rate_of(args)
        found = re.search(r'definition="([^"]*)"', self.meant[name])
        raise UnsupportedModelError(
            f"{self._here()} calls '{name}', which stands for {found[1] if found else 'a function'} that pathsim does "
            "not know (a random number?)"
        )

    def _here(self) -> str:
        """Where the formula stands that is being read, for messages."""
        return self._at(*self.context)

    def _at(self, element: Any, what: str) -> str:
        line = element.getLine() if element is not None and self.written else 0
        return f"{self.source}, line {line}: {what}" if line else f"{self.source}: {what}"


def _comment(notes: Any) -> str:
    """The text of the paragraph of class ``pathsim`` among the notes of an element."""
    for i in range(notes.getNumChildren()):
        child = notes.getChild(i)
        if child.getAttrValue("class") == NOTE_CLASS and child.getNumChildren() == 1:
            return str(child.getChild(0).getCharacters())
    return ""


def _text(element: Any, attribute: str) -> str:
    """An optional text attribute that older levels do not have."""
    if not getattr(element, f"isSet{attribute}", lambda: False)():
        return ""
    return str(getattr(element, f"get{attribute}")())


def _time_unit(element: Any) -> str:
    name = _text(element, "TimeUnits") or "time"
    definition = element.getUnitDefinition(name)
    if definition is None:
        return "s" if name in ("second", "time") else str(name)
    if definition.getNumUnits() == 1:
        unit = definition.getUnit(0)
        if unit.getKind() == LIBRARY.UNIT_KIND_SECOND and unit.getExponentAsDouble() == 1:
            seconds = unit.getMultiplier() * 10.0 ** unit.getScale()
            return str({1.0: "s", 60.0: "min", 3600.0: "h", 86400.0: "d"}.get(round(seconds, 9), definition.getId()))
    return str(definition.getId())


_type_of, _name_of, _value_of = LIBRARY.ASTNode_getType, LIBRARY.ASTNode_getName, LIBRARY.ASTNode_getValue
_child_of, _children_of = LIBRARY.ASTNode_getChild, LIBRARY.ASTNode_getNumChildren
_NUMBERS = {LIBRARY.AST_INTEGER, LIBRARY.AST_REAL, LIBRARY.AST_REAL_E, LIBRARY.AST_RATIONAL}
_CONSTANTS: Mapping[int, Expr] = {
    LIBRARY.AST_NAME_TIME: TIME,
    LIBRARY.AST_NAME_AVOGADRO: number(AVOGADRO),
    LIBRARY.AST_CONSTANT_PI: number(3.141592653589793),
    LIBRARY.AST_CONSTANT_E: number(2.718281828459045),
    LIBRARY.AST_CONSTANT_TRUE: number(1),
    LIBRARY.AST_CONSTANT_FALSE: number(0),
}
_FUNCTIONS = (
    "power",
    "exp",
    "ln",
    "abs",
    "floor",
    "ceiling",
    "factorial",
    "piecewise",
    "min",
    "max",
    "rem",
    "quotient",
)
_ANGLES = tuple(
    arc + name + h for arc in ("", "arc") for h in ("", "h") for name in ("sin", "cos", "tan", "sec", "csc", "cot")
)
_NAMES = {
    **{f"AST_{name.upper()}": name for name in ("plus", "times", "divide", "power")},
    **{f"AST_FUNCTION_{name.upper()}": name for name in (*_FUNCTIONS, *_ANGLES)},
    **{f"AST_RELATIONAL_{name.upper()}": name for name in ("lt", "gt", "eq")},
    "AST_RELATIONAL_LEQ": "le",
    "AST_RELATIONAL_GEQ": "ge",
    "AST_RELATIONAL_NEQ": "ne",
    **{f"AST_LOGICAL_{name.upper()}": name for name in ("and", "or", "xor", "not", "implies")},
}
_OPERATIONS: Mapping[int, str] = {getattr(LIBRARY, name): operation for name, operation in _NAMES.items()}
