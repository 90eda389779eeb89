# SPDX-License-Identifier: BSD-3-Clause
"""As ``executorch.devtools.bundled_program``: config, core, schema, serialize, version."""
