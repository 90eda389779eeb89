# SPDX-License-Identifier: BSD-3-Clause
"""The public names of ``bpte``: the one list of them. Loaded when the first is asked for."""

import bpte.bundle as _bundle
from bpte.bundle import Bundle as Bundle
from bpte.format.budget import Budget as Budget
from bpte.format.budget import BudgetResource as BudgetResource
from bpte.format.metadata import Carry as Carry
from bpte.format.metadata import NamedData as NamedData
from bpte.format.metadata import NamedDataRole as NamedDataRole
from bpte.format.metadata import Segment as Segment
from bpte.format.metadata import Tensor as Tensor
from bpte.format.metric import Metric as Metric
from bpte.format.metric import MetricKind as MetricKind
from bpte.format.rules import BundleError as BundleError
from bpte.format.rules import Place as Place
from bpte.format.rules import Rule as Rule
from bpte.format.scalar_type import ScalarType as ScalarType
from bpte.format.tensor_data import TensorData as TensorData
from bpte.format.tolerance import NanPolicy as NanPolicy
from bpte.format.tolerance import Tolerance as Tolerance
from bpte.format.trace import Instruction as Instruction
from bpte.format.trace import TracedMethod as TracedMethod
from bpte.format.trace import TraceOrigin as TraceOrigin
from bpte.format.trace import TraceValue as TraceValue
from bpte.pack.cases import MethodTestCase as MethodTestCase
from bpte.pack.cases import MethodTestSuite as MethodTestSuite
from bpte.pack.named import NamedFile as NamedFile
from bpte.pack.producer import BundledProgram as BundledProgram
from bpte.pack.producer import Saved as Saved
from bpte.pack.tensors import PackError as PackError

open = _bundle.open_bundle
