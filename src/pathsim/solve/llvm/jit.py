"""LLVM IR text to machine code, through llvmlite."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import llvmlite.binding as llvm

from ... import cache
from ...threads import apart
from . import objects
from .machine import Machine, machine


@dataclass(frozen=True)
class Code:
    """Compiled functions: name -> address. Keep the object alive as long as an address is used."""

    addresses: dict[str, int]
    _engine: Any = field(repr=False)


def compile_ir(text: str, optimise: bool = False, effort: int | None = None) -> Code:
    """Machine code for a module of IR text.

    Without ``optimise`` the code generator runs at its quickest, which suits straight-line code; with it, loops are
    worth the wait. ``effort`` (0 to 3) asks for another effort of the code generator. The result is kept in the cache.
    What depends on no model is shipped (:mod:`.objects`).
    """
    return compile_lazily(text, lambda: text, optimise, effort)


def compile_lazily(
    identity: str | bytes, write: Callable[[], str], optimise: bool = False, effort: int | None = None
) -> Code:
    """As :func:`compile_ir` for text that takes long to write and follows from ``identity`` alone."""
    chosen_effort = effort if effort is not None else 2 if optimise else 0
    key = _key(identity, optimise, chosen_effort)
    kept = cache.recall(key)
    if kept is None:
        text = write()
        kept = objects.find(text, optimise, chosen_effort)
        if kept is None:
            kept = apart(object_of, text, optimise, chosen_effort)
        cache.keep(key, kept)
    return _load(kept)


def recall(identity: str | bytes) -> Code | None:
    """What :func:`compile_lazily` has made without optimising, if the cache still has it."""
    kept = cache.recall(_key(identity, False, 0))
    return None if kept is None else _load(kept)


def _key(identity: str | bytes, optimise: bool, effort: int) -> str:
    chosen, version = machine(), ".".join(map(str, llvm.llvm_version_info))
    return cache.key_of("machine code", identity, chosen.cpu, chosen.features, version, f"{optimise} {effort}")


def understands(text: str) -> bool:
    """Whether this version of LLVM can read IR that may be another's."""
    try:
        llvm.parse_assembly(text)
    except RuntimeError:
        return False
    return True


def object_of(text: str, optimise: bool, effort: int, chosen: Machine | None = None) -> bytes:
    """An object file for this machine or another, after a line that names its functions."""
    module, target = _prepared(text, optimise, effort, chosen or machine())
    names = [f.name for f in module.functions if not f.is_declaration and f.linkage != llvm.Linkage.internal]
    return " ".join(names).encode() + b"\n" + bytes(target.emit_object(module))


def assembly_of(text: str, optimise: bool, effort: int, chosen: Machine) -> str:
    """What :func:`object_of` assembles, to look at."""
    module, target = _prepared(text, optimise, effort, chosen)
    return str(target.emit_assembly(module))


def _prepared(text: str, optimise: bool, effort: int, chosen: Machine) -> tuple[Any, Any]:
    """The module of a text, and what makes its code."""
    module = llvm.parse_assembly(text)
    target = _target_machine(effort, chosen)
    module.triple = target.triple
    module.data_layout = str(target.target_data)
    if optimise:
        tuning = llvm.create_pipeline_tuning_options(speed_level=1)
        tuning.slp_vectorization = False
        tuning.loop_vectorization = False
        builder = llvm.create_pass_builder(target, tuning)
        builder.getModulePassManager().run(module, builder)
    return module, target


def _load(kept: bytes) -> Code:
    names, _, content = kept.partition(b"\n")
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine(0, machine()))
    engine.add_object_file(llvm.ObjectFileRef.from_data(content))
    engine.finalize_object()
    return Code({name: engine.get_function_address(name) for name in names.decode().split()}, engine)


def publish(code: Code) -> None:
    """Let later modules call these functions by name."""
    for name, address in code.addresses.items():
        llvm.add_symbol(name, address)


def _target_machine(effort: int, chosen: Machine) -> Any:
    _initialise()
    if chosen.triple:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(chosen.triple) if chosen.triple else llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=chosen.cpu, features=chosen.features, opt=effort, jit=True, reloc="default")


@functools.cache
def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
