# SPDX-License-Identifier: BSD-3-Clause
"""Files on disk: atomic writing, copying in the kernel, checksums.

Imports nothing of bpte but itself.
"""
