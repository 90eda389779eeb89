# SPDX-License-Identifier: BSD-3-Clause
"""Files on disk: what a command reads and writes, atomic writing, copying in the kernel, checksums.

All other code opens files by name through this package, so that outputs are compared with inputs.
Imports nothing of bpte but itself.
"""
