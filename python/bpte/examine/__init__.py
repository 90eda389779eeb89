# SPDX-License-Identifier: BSD-3-Clause
"""What runs bundles, or looks at their results, to learn something: ``judge`` again, ``diff``,
``record``. May import all rooms below, and is imported by the command alone."""
