# SPDX-License-Identifier: BSD-3-Clause
"""From a program and test cases to a bundle: cases, tensors, program sources, the two writers.

Imports ``bpte.bundle``, ``bpte.program``, ``bpte.format`` and ``bpte.files``.
"""
