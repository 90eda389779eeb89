# SPDX-License-Identifier: BSD-3-Clause
"""The operators that given programs use, for firmware that has no room for all.

    python operators.py --list program.pte...
    python operators.py --include PREFIX/include -o registration.cpp program.pte...

The first form prints their names, separated by semicolons. The second writes the C++ that registers
with ExecuTorch just these. Which function implements an operator is taken from the headers that an
installed ExecuTorch has (`Functions.h`, written by its code generator), so that nothing of
ExecuTorch's build is needed. It prints `portable`, `quantized`, `cortex_m` on stdout, for each
library that is needed, and `delegate NAME` for each delegate. A program may be a .pte or a .bpte.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import bpte
from bpte.program import inspect

#: Operator libraries of an install: name, folder of Functions.h, in the order of preference.
LIBRARIES = (
    ("portable", "executorch/kernels/portable"),
    ("quantized", "executorch/kernels/quantized"),
    ("cortex_m", "executorch/backends/cortex_m/ops"),
)
#: What the runtime itself registers (executorch/kernels/prim_ops).
BUILT_IN = re.compile(r"executorch_prim::")

# A comment with the operator's schema, and the function that calls what implements it.
_FUNCTION = re.compile(
    r"^// (?P<operator>[\w:]+(?:\.\w+)?)\((?P<schema>.*)$\n"
    r"^TORCH_API inline (?P<result>.+?) (?P<name>\w+)\((?P<parameters>.*)\) \{$\n"
    r"^ +return (?P<native>[\w:]+)\((?P<arguments>.*)\);$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Function:
    library: str
    native: str
    parameters: tuple[str, ...]  # types, without the context


def _split(parameters: str) -> list[str]:
    """At commas outside of template arguments."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(parameters):
        depth += (c == "<") - (c == ">")
        if c == "," and depth == 0:
            parts.append(parameters[start:i].strip())
            start = i + 1
    return [*parts, parameters[start:].strip()]


def functions(include: Path) -> dict[str, Function]:
    found: dict[str, Function] = {}
    for library, folder in LIBRARIES:
        header = include / folder / "Functions.h"
        if not header.is_file():
            continue
        for match in _FUNCTION.finditer(header.read_text("utf-8")):
            # The name at the end of each; the first is the context.
            types = [re.sub(r"\s*\w+$", "", part) for part in _split(match["parameters"])[1:]]
            function = Function(library, match["native"], tuple(types))
            found.setdefault(match["operator"], function)
    return found


def used(programs: list[Path]) -> tuple[set[str], set[str]]:
    """Operators and delegates."""
    operators: set[str] = set()
    delegates: set[str] = set()
    for path in programs:
        with path.open("rb") as file:
            first = file.read(6)
        if first[4:6] == b"BP":
            with bpte.open(path) as bundle:
                info = inspect(bytes(bundle.program))
        else:
            info = inspect(path)
        for method in info.methods:
            operators.update(method.operators)
            delegates.update(delegate.id for delegate in method.delegates)
    return operators, delegates


def source(selected: dict[str, Function]) -> str:
    """A kernel's wrapper takes its values from ExecuTorch's stack, in the schema's order; an `out`
    operator's last ones are its outputs, once more at the end for its result."""
    libraries = dict(LIBRARIES)
    lines = [
        "// Written by operators.py.",
        "#include <executorch/extension/kernel_util/make_boxed_from_unboxed_functor.h>",
        "#include <executorch/runtime/kernel/operator_registry.h>",
    ]
    for library in sorted({function.library for function in selected.values()}):
        lines.append(f"#include <{libraries[library]}/NativeFunctions.h>")
    lines += [
        "",
        "namespace {",
        "using executorch::extension::kernel_util_internal::decay_if_not_tensor;",
        "using executorch::extension::kernel_util_internal::evalue_to_arg;",
        "using executorch::runtime::EValue;",
        "using executorch::runtime::Kernel;",
        "using executorch::runtime::KernelRuntimeContext;",
        "using executorch::runtime::Span;",
        "",
        "template <typename T>",
        "typename decay_if_not_tensor<T>::type argument(EValue* value) {",
        "  return evalue_to_arg<typename decay_if_not_tensor<T>::type>::call(*value);",
        "}",
        "",
    ]
    names = {}
    for index, (operator, function) in enumerate(sorted(selected.items())):
        name = names[operator] = f"kernel_{index}"
        lines.append(f"// {operator}")
        lines.append(f"void {name}(KernelRuntimeContext& context, Span<EValue*> stack) {{")
        lines.append(f"  (void){function.native}(")
        values = [
            f"      argument<{kind}>(stack[{i}])" for i, kind in enumerate(function.parameters)
        ]
        lines.append(",\n".join(["      context", *values]) + ");")
        lines.append("}")
        lines.append("")
    lines.append("const Kernel kernels[] = {")
    lines += [f'    Kernel("{operator}", {name}),' for operator, name in names.items()]
    lines += [
        "};",
        "",
        "[[maybe_unused]] const auto registered = executorch::runtime::register_kernels(",
        "    Span<const Kernel>(kernels, sizeof(kernels) / sizeof(kernels[0])));",
        "}  // namespace",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--include", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("program", type=Path, nargs="+")
    arguments = parser.parse_args()

    operators, delegates = used(arguments.program)
    if arguments.list:
        print(";".join(sorted(operators)))
        return 0
    if arguments.include is None or arguments.output is None:
        parser.error("--include and --output are needed")
    available = functions(arguments.include)
    selected = {}
    missing = []
    for operator in sorted(operators):
        if BUILT_IN.match(operator):
            continue
        if operator in available:
            selected[operator] = available[operator]
        else:
            missing.append(operator)
    if missing:
        # ascii(): a program's text must not act on a terminal.
        names = ", ".join(ascii(name)[1:-1] for name in missing)
        print(f"{arguments.include}: no operator {names}", file=sys.stderr)
        return 1
    text = source(selected)
    # Left as it is when nothing changed, so that nothing is compiled again.
    if not arguments.output.is_file() or arguments.output.read_text("utf-8") != text:
        arguments.output.write_text(text, "utf-8")
    for library in sorted({function.library for function in selected.values()}):
        print(library)
    for delegate in sorted(delegates):
        print("delegate", delegate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
