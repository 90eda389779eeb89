// SPDX-License-Identifier: BSD-3-Clause
// A binding of bpte.program (schema and classes), as the accelerator keeps it.

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "python.h"

namespace bpte_native {

// The numbers are those of bpte.program._schema.
enum class Kind : int { kScalar, kString, kTable, kUnion, kScalars, kTables };

// An inline part of a table: a scalar, an offset, or the type byte before a union's offset.
struct Part {
  int slot;
  int width;
  bool is_offset;
};

struct Field {
  Ref name;
  int position = 0;  // among the constructor's arguments
  int slot = 0;
  Kind kind = Kind::kScalar;
  char code = 0;  // struct code of a scalar, or of a vector's elements
  int width = 0;  // bytes of `code`
  int64_t default_integer = 0;
  double default_double = 0;
  Ref default_object;     // what Python holds for an absent scalar; null if nothing can
  std::vector<int> refs;  // indexes of tables; of a union: its members
  std::unordered_map<PyTypeObject*, int> choice;  // class to the number of a ref, from 1
  Ref enum_class;
  std::map<int64_t, Ref> enum_members;
  bool as_bytes = false;
  bool as_text = false;
  Ref align_option;  // key of the alignments given to encode; null: force_align holds
  uint32_t force_align = 0;
  int part = 0;  // of the value; a union's type is the part before
};

// How a table with one set of parts is laid out.
struct Layout {
  uint32_t size;                            // inline bytes, a multiple of 4
  bool eight;                               // has 8-byte parts
  int vtable;                               // index into Schema::vtables
  std::vector<std::pair<int, int>> places;  // part, offset in the table
};

struct Table {
  Ref cls;
  // Whether an object may be built by setting its attributes; -1: not asked yet (see is_plain).
  int plain = -1;
  bool leaf = true;     // all fields are scalars
  bool holder = false;  // the only field is a union
  int slots = 0;
  std::vector<Field> fields;
  std::vector<int> order;  // field indexes by position
  std::vector<Part> parts;
  std::unordered_map<uint64_t, std::unique_ptr<Layout>> layouts;
};

struct Schema {
  std::vector<Table> tables;  // the root is the last
  std::string identifier;
  std::vector<std::string> vtables;  // padded to multiples of 4
  std::unordered_map<std::string, int> vtable_index;

  // From (identifier, rows, classes, enums); see bpte.program._schema.
  // Null, with an exception set, if that cannot be used.
  static std::unique_ptr<Schema> parse(PyObject* args);

  // The layout of `table` with the parts whose bits are set.
  const Layout& layout(Table& table, uint64_t parts);
};

}  // namespace bpte_native
