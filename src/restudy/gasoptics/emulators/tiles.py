"""Tiles of dense layers: some rows times `LANES` outputs, whose sums live in vector registers.

They are written in the compiler's own language: loops that LLVM vectorises by itself come to less
than half the speed.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16  # outputs of a tile: one vector of AVX-512, two of AVX2, four of NEON
# Rows of a tile: as many sums as hide the latency of a multiply-add, and as fit into registers.
ROWS = 12 if binding.get_host_cpu_features().get("avx512f") else 6
MIDDLE, SHORT = 5 * ROWS // 6, 2 * ROWS // 3  # shorter tiles, still with sums enough for that
LEAST_ROOT = 2e-5  # of the short wave: its eighth power is just above the least of float32

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INT = ir.IntType(64)


def _tile_of(rows: int) -> Callable[..., None]:
    """Return a function that writes ``act(bias + x @ w)`` for rows and the outputs of one panel."""

    @intrinsic
    def tile(  # type: ignore[no-untyped-def]
        typingctx, x, at, stride, weights, panel, inputs, out, to, out_stride, slope
    ):
        integer = types.intp
        signature = types.void(
            *(x, integer, integer, weights, integer, integer, out, integer, integer, types.float32)
        )

        def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
            start = _Start(context, build, signature, given)
            row_of = start.rows(0, 1, 2, rows)
            sums = _products(build, row_of, start(3, 4), given[5])
            slopes = _splat(build, given[9])
            for place, total in zip(start.rows(6, 7, 8, rows), sums, strict=True):
                _store(build, _larger(build, total, build.fmul(total, slopes)), place)
            return context.get_dummy_value()

        return signature, generate

    found: Callable[..., None] = tile
    return found


def _shortwave_tile_of(rows: int) -> Callable[..., None]:
    """Return a function that writes optical depth and albedo for rows and one panel.

    Both heads are multiplied out, and the roots decoded, before anything is written. What the rows
    that follow are going to write is asked for first, so that it has come into the cache by then.
    A root A below `LEAST_ROOT` counts as that, so that no albedo is divided by 0.
    """

    @intrinsic
    def tile(  # type: ignore[no-untyped-def]
        typingctx, x, at_a, at_b, stride, weights, a, inputs_a, b, inputs_b, thickness, layer,
        tau, ssa, to, out_stride,
    ):  # fmt: skip
        integer = types.intp
        signature = types.void(
            *(x, integer, integer, integer, weights, integer, integer, integer, integer),
            *(thickness, integer, tau, ssa, integer, integer),
        )

        def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
            start = _Start(context, build, signature, given)
            depths, albedos = (start.rows(array, 13, 14, rows) for array in (11, 12))
            ahead = build.mul(given[14], _INT(rows))
            for place in (*depths, *albedos):
                _prefetch(build, build.gep(place, [ahead]))
            roots = _products(build, start.rows(0, 2, 3, rows), start(4, 7), given[8])
            scattered = [build.fmul(root, root) for root in roots]
            roots = _products(build, start.rows(0, 1, 3, rows), start(4, 5), given[6])
            least, thick = _splat(build, _FLOAT(LEAST_ROOT)), start(9, 10)
            for row, (root, ray) in enumerate(zip(roots, scattered, strict=True)):
                second = _larger(build, root, least)
                second = build.fmul(second, second)
                fourth = build.fmul(second, second)
                per_pascal = _multiply_add(build, fourth, fourth, ray)
                layer = _splat(build, build.load(build.gep(thick, [_INT(row)])))
                _store(build, build.fmul(layer, per_pascal), depths[row])
                _store(build, build.fdiv(ray, per_pascal), albedos[row])
            return context.get_dummy_value()

        return signature, generate

    found: Callable[..., None] = tile
    return found


@intrinsic
def ask(typingctx, array, at):  # type: ignore[no-untyped-def]
    """Ask for memory that is going to be written: of one vector, `at` numbers into an array."""

    def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
        _prefetch(build, _Start(context, build, signature, given)(0, 1))
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


class _Start:
    """Pointers into the arrays among the arguments of a call."""

    def __init__(self, context: Any, build: Any, signature: Any, given: Any) -> None:
        self._context, self._build, self._given = context, build, given
        self._kinds = signature.args

    def __call__(self, array: int, offset: int) -> Any:
        """Give where an array begins, and as much beyond as another argument says."""
        kind = cgutils.create_struct_proxy(self._kinds[array])  # type: ignore[no-untyped-call]
        data = kind(self._context, self._build, self._given[array]).data
        return self._build.gep(data, [self._given[offset]])

    def rows(self, array: int, offset: int, stride: int, count: int) -> list[Any]:
        """Give where rows of an array begin."""
        first, build = self(array, offset), self._build
        return [build.gep(first, [build.mul(self._given[stride], _INT(i))]) for i in range(count)]


tile, middle_tile, short_tile = (_tile_of(rows) for rows in (ROWS, MIDDLE, SHORT))
shortwave_tile, shortwave_middle_tile, shortwave_short_tile = (
    _shortwave_tile_of(rows) for rows in (ROWS, MIDDLE, SHORT)
)


def _products(build: Any, row_of: list[Any], weights: Any, inputs: Any) -> list[Any]:
    """Emit a loop over the inputs that adds to one vector for each row; give the sums."""

    def lanes(number: Any) -> Any:
        place = build.gep(weights, [build.mul(number, _INT(LANES))])
        return build.load(build.bitcast(place, _VECTOR.as_pointer()), align=4)

    bias, before = lanes(_INT(0)), build.block
    loop, after = build.append_basic_block("inputs"), build.append_basic_block("sums")
    build.branch(loop)
    build.position_at_end(loop)
    number = build.phi(_INT)
    number.add_incoming(_INT(0), before)
    sums = [build.phi(_VECTOR) for _ in row_of]
    following = build.add(number, _INT(1))
    weight = lanes(following)
    added = []
    for total, row in zip(sums, row_of, strict=True):
        value = _splat(build, build.load(build.gep(row, [number])))
        added.append(_multiply_add(build, value, weight, total))
    for total, new in zip(sums, added, strict=True):
        total.add_incoming(bias, before)
        total.add_incoming(new, loop)
    number.add_incoming(following, loop)
    build.cbranch(build.icmp_signed("<", following, inputs), loop, after)
    build.position_at_end(after)
    return added


def _multiply_add(build: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit ``a b + c``, rounded once where the processor can."""
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        build.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
    )
    return build.call(function, [a, b, c])


def _larger(build: Any, a: Any, b: Any) -> Any:
    """Emit the larger of each two."""
    return build.select(build.fcmp_ordered(">", a, b), a, b)


def _store(build: Any, vector: Any, place: Any) -> None:
    """Emit a store."""
    build.store(vector, build.bitcast(place, _VECTOR.as_pointer()), align=4)


def _prefetch(build: Any, place: Any) -> None:
    """Emit a request for memory that is going to be written."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        build.module, ir.FunctionType(ir.VoidType(), [byte] + [number] * 3), "llvm.prefetch.p0"
    )
    build.call(function, [build.bitcast(place, byte), number(1), number(3), number(1)])


def _splat(build: Any, value: Any) -> Any:
    """Emit a vector of one value."""
    undefined, number = ir.Constant(_VECTOR, ir.Undefined), ir.IntType(32)
    first = build.insert_element(undefined, value, number(0))
    return build.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(number, LANES), None))
