# SPDX-License-Identifier: BSD-3-Clause
"""The public names of ``bpte``: the one list of them. Loaded when the first is asked for."""

import bpte.bundle as _bundle
from bpte.bundle import Bundle as Bundle
from bpte.format.metadata import Segment as Segment
from bpte.format.metadata import Tensor as Tensor
from bpte.format.rules import BundleError as BundleError
from bpte.format.rules import Place as Place
from bpte.format.rules import Rule as Rule
from bpte.format.scalar_type import ScalarType as ScalarType
from bpte.format.tensor_data import TensorData as TensorData
from bpte.format.tolerance import NanPolicy as NanPolicy
from bpte.format.tolerance import Tolerance as Tolerance
from bpte.pack.cases import MethodTestCase as MethodTestCase
from bpte.pack.cases import MethodTestSuite as MethodTestSuite
from bpte.pack.producer import BundledProgram as BundledProgram
from bpte.pack.producer import Saved as Saved
from bpte.pack.tensors import PackError as PackError

open = _bundle.open_bundle
