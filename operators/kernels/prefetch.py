"""`prefetch`: ask for memory before it is needed, so that many reads at random places are under way together."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_NUMBER = ir.IntType(32)
_READ, _KEEP_IN_ALL_CACHES, _DATA = (ir.Constant(_NUMBER, value) for value in (0, 3, 1))


@intrinsic
def prefetch(typing: Any, address: Any) -> Any:
    """Start to read the cache line at this address. Nothing waits for it, and a wrong address does no harm."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        function_type = ir.FunctionType(ir.VoidType(), (pointer.type, _NUMBER, _NUMBER, _NUMBER))
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0i8")
        builder.call(function, (pointer, _READ, _KEEP_IN_ALL_CACHES, _DATA))
        return context.get_dummy_value()

    return types.void(types.uintp), generate
