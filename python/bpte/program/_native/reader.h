// SPDX-License-Identifier: BSD-3-Clause
// Reads objects from FlatBuffer bytes. Accepts and refuses what bpte/program/_reader.py does, which
// then gives the place and the message.

#pragma once

#include "schema.h"

namespace bpte_native {

struct ReadOptions {
  bool views;          // fields held as bytes become memoryviews into the data
  bool allow_unknown;  // skip fields that the schema does not know
  uint64_t table_budget;
  uint64_t element_budget;
};

// The pair (object of the root's class, whether unknown fields were skipped). Null, with an
// exception set, for data that breaks a rule; a broken rule is a ValueError.
PyObject* decode(Schema& schema, PyObject* data, const ReadOptions& options);

}  // namespace bpte_native
