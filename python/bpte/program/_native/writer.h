// SPDX-License-Identifier: BSD-3-Clause
// Objects to FlatBuffer bytes. The rules are those of bpte/program/_writer.py, and so are the
// bytes.

#pragma once

#include "schema.h"

namespace bpte_native {

// The file for `root`. `alignments`: a dict, bytes by option; `head(identifier, size, distance,
// alignment)` gives the first bytes of the file. Null, with an exception set, if something cannot be
// written.
PyObject* encode(Schema& schema, PyObject* root, PyObject* alignments, PyObject* head);

}  // namespace bpte_native
