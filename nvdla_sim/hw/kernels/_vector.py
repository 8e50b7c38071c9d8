"""Vector code for kernels: a thin layer over LLVM's builder that keeps addresses as integers.

All of it is generic LLVM vector IR, which any CPU can be compiled for, unless a caller names an intrinsic of
one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

I8, I16, I32, I64, F64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.DoubleType()
Value = Any  # an LLVM value
_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def vector(element: ir.Type, lanes: int) -> ir.VectorType:
    return ir.VectorType(element, lanes)


def routine(arguments: int, body: Callable[..., None]) -> Callable[..., None]:
    """A function for kernels that takes ``arguments`` integers (intp) and runs the code that ``body`` emits.

    ``body(code, *values)``; it may end in another basic block than it began in.
    """

    def typed(_context: object, *_types: object) -> tuple[object, Callable[..., Value]]:
        def emit(context: Any, builder: Any, _signature: object, values: Sequence[Value]) -> Value:
            body(Code(builder), *values)
            return context.get_dummy_value()

        return types.void(*[types.intp] * arguments), emit

    # numba counts the parameters of the signature
    names = ["context", *(f"value{i}" for i in range(arguments))]
    function: Any = typed
    function.__signature__ = inspect.Signature([inspect.Parameter(n, _POSITIONAL) for n in names])
    return intrinsic(function)


class Code:
    """Emits instructions at the builder's place."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    # ---- numbers and addresses
    def number(self, value: int) -> Value:
        return ir.Constant(I64, value)

    def fill(self, element: ir.Type, lanes: int, value: float) -> Value:
        """A vector constant with the same value in all lanes."""
        return ir.Constant(vector(element, lanes), [value] * lanes)

    def add(self, address: Value, offset: Value | int) -> Value:
        return self.builder.add(address, self.number(offset) if isinstance(offset, int) else offset)

    def times(self, value: Value, factor: int) -> Value:
        return self.builder.mul(value, self.number(factor))

    # ---- memory
    def load(self, kind: ir.Type, address: Value, align: int = 1) -> Value:
        value = self.builder.load(self.builder.inttoptr(address, kind.as_pointer()))
        value.align = align
        return value

    def store(self, value: Value, address: Value, align: int = 1) -> None:
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer())).align = align

    # ---- vectors
    def lanes(self, a: Value, b: Value, indexes: Iterable[int]) -> Value:
        """The named lanes of ``a`` followed by ``b``."""
        mask = list(indexes)
        return self.builder.shuffle_vector(a, b, ir.Constant(vector(I32, len(mask)), mask))

    def splat(self, value: Value, lanes: int) -> Value:
        """The same value in all lanes."""
        undefined = ir.Constant(vector(value.type, lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(I32, 0))
        return self.lanes(first, undefined, [0] * lanes)

    def call(self, name: str, result: ir.Type, *values: Value) -> Value:
        """Call an LLVM intrinsic."""
        module = self.builder.module
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(result, [v.type for v in values]), name)
        return self.builder.call(function, values)

    def smaller(self, a: Value, b: Value) -> Value:
        return self.call(f"llvm.smin.{_suffix(a.type)}", a.type, a, b)

    def larger(self, a: Value, b: Value) -> Value:
        return self.call(f"llvm.smax.{_suffix(a.type)}", a.type, a, b)

    def lesser(self, a: Value, b: Value) -> Value:
        """Of floats that are numbers."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def greater(self, a: Value, b: Value) -> Value:
        """Of floats that are numbers."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def with_half(self, x: Value) -> Value:
        """Floats half a step further from 0: cut towards 0 they are rounded to nearest, ties away from 0."""
        name = f"llvm.copysign.v{x.type.count}f64"
        return self.builder.fadd(x, self.call(name, x.type, self.fill(F64, x.type.count, 0.5), x))

    # ---- loops
    def loop(
        self, count: Value, start: Sequence[Value], step: Callable[[Value, list[Value]], list[Value]]
    ) -> list[Value]:
        """Run ``step(i, values)`` for i in 0 .. count-1 (at least once), which gives the next values.

        The last values are returned; code goes on behind the loop.
        """
        builder = self.builder
        before = builder.block
        top = builder.function.append_basic_block("top")
        after = builder.function.append_basic_block("after")
        builder.branch(top)
        builder.position_at_end(top)
        index = builder.phi(I64)
        index.add_incoming(self.number(0), before)
        values = [builder.phi(v.type) for v in start]
        for phi, value in zip(values, start, strict=True):
            phi.add_incoming(value, before)
        results = step(index, values)
        following = self.add(index, 1)
        bottom = builder.block  # an inner loop has moved on
        index.add_incoming(following, bottom)
        for phi, value in zip(values, results, strict=True):
            phi.add_incoming(value, bottom)
        builder.cbranch(builder.icmp_signed("<", following, count), top, after)
        builder.position_at_end(after)
        return results


def _suffix(kind: ir.VectorType) -> str:
    return f"v{kind.count}i{kind.element.width}"
