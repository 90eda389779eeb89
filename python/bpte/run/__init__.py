# SPDX-License-Identifier: BSD-3-Clause
"""Running bundles: boards, builds, the launcher, the result protocol and its reports.

Imports everything below it: ``bpte.pack``, ``bpte.bundle``, ``bpte.program``, ``bpte.format``,
``bpte.files``.
"""
