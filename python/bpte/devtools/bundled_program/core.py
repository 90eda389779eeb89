# SPDX-License-Identifier: BSD-3-Clause
"""As ``executorch.devtools.bundled_program.core``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bpte.format.header import BP08
from bpte.pack import producer
from bpte.pack.tensors import PackError

if TYPE_CHECKING:
    from bpte.devtools.bundled_program import schema


class BundledProgram:
    """A program and its test suites, sorted by method.

    Suites that do not fit the program raise ``AssertionError``, as there; here shapes are checked
    as well. Inputs in another memory order are brought into the program's order; there the method
    misreads them.
    """

    def __init__(
        self,
        executorch_program: object,
        method_test_suites: Sequence[producer.MethodTestSuite],
        pte_file_path: str | os.PathLike[str] | None = None,
    ) -> None:
        if not executorch_program and not pte_file_path:
            raise RuntimeError("Either executorch_program or pte_file_path must be provided")
        if executorch_program and pte_file_path:
            raise RuntimeError("Only one of executorch_program or pte_file_path can be used")
        self.executorch_program = executorch_program
        self.method_test_suites = sorted(method_test_suites, key=lambda suite: suite.method_name)
        self.bundle = producer.BundledProgram(
            executorch_program or pte_file_path, self.method_test_suites
        )
        """The same as a ``bpte.BundledProgram``, which can be saved as BP09, or streamed."""
        self._in_schema: schema.BundledProgram | None = None
        if executorch_program:
            try:
                self.bundle.check(fit="relayout", format=BP08, drop=True)
            except PackError as error:
                raise AssertionError(str(error)) from None

    def serialize_to_schema(self) -> schema.BundledProgram:
        """As plain objects; made once."""
        from bpte.devtools.bundled_program import serialize

        if self._in_schema is None:
            data = serialize.serialize_from_bundled_program_to_flatbuffer(self)
            self._in_schema = serialize.deserialize_from_flatbuffer_to_bundled_program(data)
        return self._in_schema
