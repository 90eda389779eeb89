# SPDX-License-Identifier: BSD-3-Clause
"""The file format: rules, layout, header, metadata, and how they become bytes and back.

Imports ``bpte.files`` at most.
"""
