"""Vectors of float64 for compiled code: the same arithmetic in several lanes at once.

Code that numba compiles may use a `Lanes` value like a float: ``+ - * /``, unary minus and
comparisons (which give a `Mask`), with floats mixed in. It becomes LLVM's vectors, hence ``vmulpd``
and the like on ``ymm`` registers where there is AVX2. What a lane holds depends on nothing in the
other lanes, so that its bits do not depend on its neighbours.

That LLVM vectorises a loop over systems by itself needs a loop without branches over arrays which
provably do not overlap; a Kepler solver with iterations is none. A type of vectors leaves nothing
to its judgement, and the same code serves floats, planets and systems as lanes.
"""

import operator
from collections.abc import Callable
from typing import Any

import numba
import numba.extending
from llvmlite import ir
from numba import types
from numba.core import cgutils

# Numba's decorators have no types.
_njit: Any = numba.njit
_extending: Any = numba.extending

_DOUBLE, _BIT, _I32 = ir.DoubleType(), ir.IntType(1), ir.IntType(32)
# A product and a sum may become one multiply-add.
_FLAGS = ("contract",)

inner: Any = _njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Of functions that only compiled code calls: what would call them from Python is not compiled."""

inlined: Any = _njit(
    nogil=True,
    error_model="numpy",
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
    forceinline=True,
)
"""Of functions that become a part of those that call them."""


@inner
def put(target, source):  # type: ignore[no-untyped-def]
    """Copy an array, (n,), into another.

    An assignment to a slice would compile the words of an error for shapes that do not fit, which
    takes four seconds.
    """
    for i in range(source.size):
        target[i] = source[i]


class Lanes(types.Type):
    """The type of a vector of float64."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Lanes({width})")


class Mask(types.Type):
    """The type of a vector of truth values."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Mask({width})")


@_extending.register_model(Lanes)
class _LanesModel(_extending.models.PrimitiveModel):
    def __init__(self, manager: Any, of: Lanes) -> None:
        super().__init__(manager, of, ir.VectorType(_DOUBLE, of.width))


@_extending.register_model(Mask)
class _MaskModel(_extending.models.PrimitiveModel):
    def __init__(self, manager: Any, of: Mask) -> None:
        super().__init__(manager, of, ir.VectorType(_BIT, of.width))


def _emitted(function: Any) -> Any:
    """Make a function of compiled code out of one that emits LLVM's instructions."""
    return _extending.intrinsic(function)


def _splat(build: Any, value: Any, width: int) -> Any:
    """Emit a vector of one value."""
    undefined = ir.Constant(ir.VectorType(_DOUBLE, width), ir.Undefined)
    first = build.insert_element(undefined, value, _I32(0))
    return build.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_I32, width), None))


def _as_lanes(build: Any, signature: Any, given: Any, width: int) -> list[Any]:
    """Give the arguments as vectors: floats are repeated in all lanes."""
    return [
        value if isinstance(kind, Lanes) else _splat(build, value, width)
        for kind, value in zip(signature.args, given, strict=True)
    ]


def _width_of(*given: Any) -> int:
    """Give the number of lanes of operands, or 0 where numba knows them without us."""
    allowed = all(isinstance(x, Lanes | types.Float) for x in given)
    widths = {x.width for x in given if isinstance(x, Lanes)}
    return widths.pop() if allowed and len(widths) == 1 else 0


def _register(symbol: Any, emit: Callable[[Any, Any, Any], Any], result: type) -> None:
    """Teach numba a binary operator of vectors, and of a vector and a float."""

    @_extending.type_callable(symbol)
    def typer(context: Any) -> Any:
        def kind(a: Any, b: Any) -> Any:
            width = _width_of(a, b)
            return result(width) if width else None

        return kind

    def lower(context: Any, build: Any, signature: Any, given: Any) -> Any:
        width = _width_of(*signature.args)
        return emit(build, *_as_lanes(build, signature, given, width))

    for pair in ((Lanes, Lanes), (Lanes, types.Float), (types.Float, Lanes)):
        _extending.lower_builtin(symbol, *pair)(lower)


def _arithmetic(name: str) -> Callable[[Any, Any, Any], Any]:
    def emit(build: Any, x: Any, y: Any) -> Any:
        return getattr(build, name)(x, y, flags=_FLAGS)

    return emit


def _comparison(name: str) -> Callable[[Any, Any, Any], Any]:
    def emit(build: Any, x: Any, y: Any) -> Any:
        return build.fcmp_ordered(name, x, y)

    return emit


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
    (operator.iadd, "fadd"),
    (operator.isub, "fsub"),
    (operator.imul, "fmul"),
):
    _register(_symbol, _arithmetic(_name), Lanes)
for _symbol, _name in ((operator.lt, "<"), (operator.le, "<="), (operator.gt, ">")):
    _register(_symbol, _comparison(_name), Mask)


def _register_mask(symbol: Any, name: str) -> None:
    @_extending.type_callable(symbol)
    def typer(context: Any) -> Any:
        return lambda a, b: a if isinstance(a, Mask) and a == b else None

    @_extending.lower_builtin(symbol, Mask, Mask)
    def lower(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return getattr(build, name)(*given)


for _symbol, _name in ((operator.and_, "and_"), (operator.or_, "or_")):
    _register_mask(_symbol, _name)


@_extending.type_callable(operator.neg)
def _neg_type(context: Any) -> Any:
    return lambda a: a if isinstance(a, Lanes) else None


@_extending.lower_builtin(operator.neg, Lanes)
def _neg(context: Any, build: Any, signature: Any, given: Any) -> Any:
    return build.fneg(given[0])


def _function(name: str) -> Any:
    """Make a function of one vector out of LLVM's of that name."""

    @_emitted
    def apply(typingctx, x):  # type: ignore[no-untyped-def]
        if not isinstance(x, Lanes):
            return None

        def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
            kind = ir.VectorType(_DOUBLE, x.width)
            function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
                build.module, ir.FunctionType(kind, [kind]), f"llvm.{name}.v{x.width}f64"
            )
            return build.call(function, given)

        return x(x), generate

    return apply


sqrt = _function("sqrt")
absolute = _function("fabs")


@_emitted
def load(typingctx, array, at, width):  # type: ignore[no-untyped-def]
    """Give the vector that begins at a place of a flat array."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    kind = Lanes(width.literal_value)

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return build.load(_place(context, build, signature, given, kind.width), align=8)

    return kind(array, types.intp, width), generate


@_emitted
def load_one(typingctx, array, at, width):  # type: ignore[no-untyped-def]
    """Give a vector whose lanes all hold one number of a flat array."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    kind = Lanes(width.literal_value)

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        array = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
        start = build.gep(array(context, build, given[0]).data, [given[1]])
        return _splat(build, build.load(start), kind.width)

    return kind(array, types.intp, width), generate


@_emitted
def splat(typingctx, value, width):  # type: ignore[no-untyped-def]
    """Give a vector whose lanes all hold one number."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    kind = Lanes(width.literal_value)

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return _splat(build, given[0], kind.width)

    return kind(types.float64, width), generate


@_emitted
def store(typingctx, array, at, value):  # type: ignore[no-untyped-def]
    """Write a vector from a place of a flat array on."""
    if not isinstance(value, Lanes):
        return None

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        place = _place(context, build, signature, given, value.width)
        build.store(given[2], place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


def _place(context: Any, build: Any, signature: Any, given: Any, width: int) -> Any:
    """Emit the address of a vector in an array."""
    kind = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
    start = build.gep(kind(context, build, given[0]).data, [given[1]])
    return build.bitcast(start, ir.VectorType(_DOUBLE, width).as_pointer())


@_emitted
def select(typingctx, mask, a, b):  # type: ignore[no-untyped-def]
    """Give, lane by lane, the first where the mask is true and the second where it is not."""
    if not isinstance(mask, Mask):
        return None
    kind = Lanes(mask.width)

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        values = [
            x if isinstance(k, Lanes) else _splat(build, x, mask.width)
            for k, x in zip(signature.args[1:], given[1:], strict=True)
        ]
        return build.select(given[0], *values)

    sides = [x if isinstance(x, Lanes) else types.float64 for x in (a, b)]
    return kind(mask, *sides), generate


@_emitted
def bits(typingctx, mask):  # type: ignore[no-untyped-def]
    """Give a mask as an integer whose bit i is lane i: 0 where none is true."""
    if not isinstance(mask, Mask):
        return None

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        packed = build.bitcast(given[0], ir.IntType(mask.width))
        return build.zext(packed, ir.IntType(64))

    return types.int64(mask), generate


@_emitted
def total(typingctx, value):  # type: ignore[no-untyped-def]
    """Give the sum of all lanes, in pairs: always in the same order."""
    if not isinstance(value, Lanes):
        return None

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        parts = [build.extract_element(given[0], _I32(i)) for i in range(value.width)]
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [build.fadd(parts[i], parts[i + half]) for i in range(half)]
        return parts[0]

    return types.float64(value), generate


@_emitted
def every(typingctx, mask):  # type: ignore[no-untyped-def]
    """Give the `bits` of a mask that is true in all lanes."""
    if not isinstance(mask, Mask):
        return None

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return ir.Constant(ir.IntType(64), 2**mask.width - 1)

    return types.int64(mask), generate
