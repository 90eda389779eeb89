# SPDX-License-Identifier: BSD-3-Clause
"""As ``executorch.devtools.bundled_program.serialize``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpte.bundle import Bundle
from bpte.devtools.bundled_program import schema
from bpte.devtools.bundled_program.version import BUNDLED_PROGRAM_SCHEMA_VERSION
from bpte.format.header import BP08
from bpte.format.metadata import Tensor, Value
from bpte.format.scalar_type import ScalarType
from bpte.pack.tensors import PackError

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from bpte.devtools.bundled_program.core import BundledProgram


def serialize_from_bundled_program_to_flatbuffer(bundled_program: BundledProgram) -> bytes:
    """A BP08 file's bytes. For a large program, ``bundled_program.bundle.save(path,
    format="bp08")`` streams instead. Raises ``PackError``."""
    return bundled_program.bundle.to_bytes(format=BP08, fit="relayout", drop=True)


def deserialize_from_flatbuffer_to_bundled_program(flatbuffer: Buffer) -> schema.BundledProgram:
    """The content of a bundle's bytes, BP08 or BP09. Raises ``BundleError``, and ``PackError`` for
    a case with steps, which these classes cannot hold."""
    with Bundle.from_bytes(flatbuffer) as bundle:
        if any(case.steps for suite in bundle.suites for case in suite.test_cases):
            raise PackError("it holds a case with steps: read it with bpte.open")
        return schema.BundledProgram(
            version=BUNDLED_PROGRAM_SCHEMA_VERSION,
            method_test_suites=[
                schema.BundledMethodTestSuite(
                    suite.method_name,
                    [
                        schema.BundledMethodTestCase(
                            [_value(bundle, value) for value in case.info.inputs],
                            [_value(bundle, value) for value in case.info.expected_outputs],
                        )
                        for case in suite.test_cases
                    ],
                )
                for suite in bundle.suites
            ],
            program=bytes(bundle.program),
        )


def _value(bundle: Bundle, value: Value) -> schema.Value:
    if isinstance(value, Tensor):
        data = b"".join(map(bytes, bundle.tensor_data(value).blocks()))
        return schema.Value(
            schema.Tensor(
                ScalarType(value.scalar_type), list(value.sizes), data, list(value.dim_order)
            )
        )
    if isinstance(value, bool):
        return schema.Value(schema.Bool(value))
    if isinstance(value, int):
        return schema.Value(schema.Int(value))
    return schema.Value(schema.Double(value))
