"""The integration loops as LLVM IR: numba reads the typed Python and compiles it.

Nothing else imports numba, and this module is imported only while IR is made (:mod:`pathsim.solve.llvm.loops`). What
comes out needs neither numba nor the interpreter: no reference counts, no exceptions, no calls but of model code by
its address. Numba's own rules of arithmetic and indexing are Python's; anything that could raise is refused.

Arrays are numba's. Named tuples (:class:`Record`) stay where they are in memory and are read field by field, so that
passing one on costs one address.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_args, get_type_hints

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    infer_getattr,
    intrinsic,
    lower_builtin,
    lower_getattr_generic,
    models,
    register_jitable,
    register_model,
    type_callable,
)
from numba.np.arrayobj import make_array, populate_array

from .calls import BY_ADDRESS
from .layout import ARRAY_WORDS, Shape
from .shipped import reached

OPTIONS = {"error_model": "numpy", "boundscheck": False, "fastmath": False, "_nrt": False}
SETTINGS = {
    "OPT": 0, "LOOP_VECTORIZE": 0, "SLP_VECTORIZE": 0, "DISABLE_JIT": 0, "DEBUGINFO_DEFAULT": 0, "BOUNDSCHECK": None,
}  # fmt: skip
"""Whatever of numba's own settings would leave a trace in the IR."""
LIBRARY = {"@sqrt(": "@llvm.sqrt.f64(", "@floor(": "@llvm.floor.f64("}
"""Functions of the C library and the instructions that do the same."""
FORBIDDEN = {
    r"@may_raise": "could raise an exception, which nobody would see",
    r"\bfpto[su]i\b": "makes an integer of a float, which is wrong beyond 2^63: use numpy.floor, a float",
}
"""What must not be left in optimised IR, and what is wrong then."""
KNOWN = {"nextafter", "memset", "memcpy", "memmove"}
"""Functions of the C library that may stay: every process has them."""
WORD = ir.IntType(64)
NUMBERS: dict[Any, types.Type] = {int: types.int64, float: types.float64}


class Record(types.Type):  # type: ignore[misc]  # numba is not typed
    """A named tuple in memory: of each field its type and the word it begins at."""

    def __init__(self, cls: type) -> None:
        self.fields: dict[str, tuple[types.Type, int]] = {}
        position = 0
        for name, hint in get_type_hints(cls, include_extras=True).items():
            kind = _type_of(hint, f"{cls.__name__}.{name}")
            self.fields[name] = kind, position
            position += ARRAY_WORDS if isinstance(kind, types.Array) else 1
        super().__init__(f"Record({cls.__module__}.{cls.__name__})")


@register_model(Record)
class _RecordModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Record) -> None:
        super().__init__(manager, kind, WORD.as_pointer())


@infer_getattr
class _RecordAttributes(AttributeTemplate):  # type: ignore[misc]
    key = Record

    def generic_resolve(self, record: Record, name: str) -> types.Type | None:
        return record.fields[name][0] if name in record.fields else None


@lower_getattr_generic(Record)  # type: ignore[untyped-decorator]
def _read_field(context: Any, builder: Any, record: Record, pointer: Any, name: str) -> Any:
    kind, position = record.fields[name]
    if isinstance(kind, types.Array):
        return _array(context, builder, kind, [_word(builder, pointer, position + i) for i in range(ARRAY_WORDS)])
    return _word(builder, pointer, position)


def _word(builder: Any, pointer: Any, position: int) -> Any:
    """A word that never changes while a loop runs."""
    word = builder.load(builder.gep(pointer, [WORD(position)]))
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word


def _array(context: Any, builder: Any, kind: types.Array, words: Sequence[Any], columns: int = 0) -> Any:
    """An array from its address and the sizes of its dimensions."""
    shape = list(words[1 : 1 + kind.ndim])
    if columns:
        shape[-1] = WORD(columns)
    strides = [WORD(8)]
    for size in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], size))
    made = make_array(kind)(context, builder)
    data = builder.inttoptr(words[0], made.data.type)
    populate_array(made, data=data, shape=shape, strides=strides, itemsize=WORD(8), meminfo=None)
    return made._getvalue()


def _type_of(hint: Any, where: str) -> types.Type:
    if hint in NUMBERS:
        return NUMBERS[hint]
    if hasattr(hint, "_fields"):
        return Record(hint)
    shape = _shape_of(hint)
    if shape is None:
        raise TypeError(f"{where}: a loop takes int, float, named tuples and arrays of known shape, not {hint}")
    return types.Array(types.int64 if "int64" in str(get_args(hint)[0]) else types.float64, shape.dimensions, "C")


def _shape_of(hint: Any) -> Shape | None:
    return next((item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Shape)), None)


def _call_by_address(function: Callable[..., None]) -> None:
    """Teach numba one of the functions of :mod:`pathsim.solve.llvm.calls`."""
    kinds = [NUMBERS[hint] for name, hint in get_type_hints(function).items() if name != "return"]

    @type_callable(function)  # type: ignore[untyped-decorator]
    def typing(context: Any) -> Any:
        def typer(*arguments: types.Type) -> types.Type:
            return types.none

        typer.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        return typer

    @lower_builtin(function, types.VarArg(types.Any))  # type: ignore[untyped-decorator]
    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, *passed = [
            context.cast(builder, value, given, kind)
            for value, given, kind in zip(arguments, signature.args, kinds, strict=True)
        ]
        target = ir.FunctionType(ir.VoidType(), [value.type for value in passed]).as_pointer()
        builder.call(builder.inttoptr(address, target), passed)
        return context.get_dummy_value()


for _function in BY_ADDRESS:
    _call_by_address(_function)


_taught: set[Callable[..., Any]] = set()


@contextmanager
def _settings() -> Iterator[None]:
    """Numba as we want it, whatever the environment or the user's program asks of it."""
    with global_compiler_lock:
        before = {name: getattr(numba.config, name) for name in SETTINGS}
        try:
            for name, value in SETTINGS.items():
                setattr(numba.config, name, type(before[name])(value) if name == "OPT" else value)
            yield
        finally:
            for name, value in before.items():
                setattr(numba.config, name, value)


def module_of(entry: Callable[..., int | None]) -> str:
    """Optimised IR of a loop, the same for every processor: ``i64 entry(i64, ...)``, one address per argument.

    An argument lies at its address as :func:`pathsim.solve.llvm.loops.words_of` makes it.

    Raises:
        TypeError: numba cannot compile it, or it could raise or needs what only the interpreter has.
    """
    hints = get_type_hints(entry, include_extras=True)
    returned = hints.pop("return")
    with _settings():
        for function in reached(entry)[1:]:
            if function not in _taught:
                register_jitable(**OPTIONS)(function)
                _taught.add(function)
        library, symbol = _library(entry, hints, returned)
    return _finished(entry, library, symbol, len(hints))


def _library(entry: Callable[..., int | None], hints: dict[str, Any], returned: Any) -> tuple[str, str]:
    """Numba's IR and the name of the function in it that takes addresses."""
    kinds = [_type_of(hint, f"{entry.__name__}({name})") for name, hint in hints.items()]
    columns = [getattr(_shape_of(hint), "columns", 0) for hint in hints.values()]

    @intrinsic  # type: ignore[untyped-decorator]
    def arguments_at(typing_context: Any, addresses: Any) -> Any:
        def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            found = []
            for address, kind, wide in zip(cgutils.unpack_tuple(builder, arguments[0]), kinds, columns, strict=True):
                pointer = builder.inttoptr(address, WORD.as_pointer())
                if isinstance(kind, types.Array):
                    words = [_word(builder, pointer, i) for i in range(ARRAY_WORDS)]
                    found.append(_array(context, builder, kind, words, wide))
                else:
                    found.append(pointer)
            return context.make_tuple(builder, signature.return_type, found)

        return types.Tuple(kinds)(addresses), lower

    inner = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(entry)

    def with_result(addresses: Any) -> Any:
        return inner(*arguments_at(addresses))

    def without_result(addresses: Any) -> Any:
        inner(*arguments_at(addresses))
        return 0

    outer = without_result if returned is type(None) else with_result
    signature = (types.UniTuple(types.int64, len(kinds)),)
    try:
        made = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(outer)
        made.compile(signature)
    except numba.core.errors.NumbaError as error:
        raise TypeError(f"{entry.__module__}.{entry.__name__} cannot be compiled: {error}") from error
    result = made.overloads[signature]
    return result.library.get_llvm_str(), result.fndesc.llvm_func_name


def _finished(entry: Callable[..., int | None], text: str, symbol: str, count: int) -> str:
    """The module with all functions but the entry its own, optimised, without names."""
    for name, instruction in LIBRARY.items():
        text = text.replace(name, instruction)
    text = re.sub(r"= (common|linkonce|linkonce_odr) global", "= internal global", text)
    text = re.sub(r"define (linkonce_odr )?i32 @", "define internal i32 @", text)
    arguments = ", ".join(f"i64 %a{i}" for i in range(count))
    module = llvm.parse_assembly(f"""{text}
declare void @may_raise() noreturn
define i64 @entry({arguments}) {{
  %result = alloca i64
  %raised = alloca ptr
  %status = call i32 @{symbol}(ptr %result, ptr %raised, {arguments})
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %never, label %done
never:
  call void @may_raise()
  unreachable
done:
  %value = load i64, ptr %result
  ret i64 %value
}}
""")
    _optimise(module)
    text = _bare(str(module))
    for sign, complaint in FORBIDDEN.items():
        if re.search(sign, text):
            raise TypeError(f"{entry.__module__}.{entry.__name__} {complaint}")
    strange = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")} - KNOWN
    if strange:
        raise TypeError(
            f"{entry.__module__}.{entry.__name__} needs {', '.join(sorted(strange))}, which is not there when it runs"
        )
    return text


def _optimise(module: llvm.ModuleRef) -> None:
    """Optimise a module by what holds on every processor.

    No vectors are made of what was written one by one: the order of sums stays, and lanes are taken care of by hand.
    """
    llvm.initialize_native_target()
    target = llvm.Target.from_default_triple().create_target_machine(opt=2, jit=True, reloc="default")
    module.data_layout = str(target.target_data)
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.slp_vectorization = False
    tuning.loop_vectorization = False
    builder = llvm.create_pass_builder(target, tuning)
    builder.getModulePassManager().run(module, builder)
    rest = llvm.create_new_module_pass_manager()
    rest.add_strip_symbols_pass()
    rest.add_global_dead_code_eliminate_pass()
    rest.add_strip_dead_prototype_pass()
    rest.run(module, builder)


def _bare(text: str) -> str:
    """IR without what only optimisation needed: attributes and metadata, many of which other versions do not know."""
    text = re.sub(r"(?m)^(; .*|source_filename.*|target .*|attributes .*|![\w.]+ = .*)\n", "", text)
    text = re.sub(r"(?m)^.*call void @llvm\.lifetime\..*\n|^declare void @llvm\.lifetime\..*\n", "", text)
    text = re.sub(r",? ![\w.]+ !\d+", "", text)
    text = re.sub(r" #\d+(?=[ ,]|$)", "", text, flags=re.MULTILINE)
    text = re.sub(r" captures\([^)]*\)| initializes\(\([^)]*\)\)| samesign", "", text)
    text = re.sub(r"(?m)^(define .*) \{$", r"\1 nounwind {", text)
    return re.sub(r"\n{2,}", "\n\n", text).strip() + "\n"
