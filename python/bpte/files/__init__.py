# SPDX-License-Identifier: BSD-3-Clause
"""Files on disk: what a command reads and writes, atomic writing, copying in the kernel, checksums.

Whoever opens a file by name does it through here, so that outputs are held against inputs.
Imports nothing of bpte but itself.
"""
