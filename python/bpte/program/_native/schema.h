// SPDX-License-Identifier: BSD-3-Clause
// A binding of bpte.program (schema and classes), as the accelerator keeps it.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "python.h"

namespace bpte_native {

// The numbers are those of bpte.program._schema.
enum class Kind : uint8_t { kScalar, kString, kTable, kUnion, kScalars, kTables };

// A row of bpte.program._schema: see its Field. The packaged ones are constants (tables.h).
struct FieldRow {
  const char* name;
  int slot;
  Kind kind;
  char code;
  int64_t default_integer;
  double default_double;
  const int* refs;
  int ref_count;
  int position;
  const char* holds;
  uint32_t force_align;
  const char* option;
};
struct TableRow {
  const char* name;
  const FieldRow* fields;
  int count;
};

// An inline part of a table: a scalar, an offset, or the type byte before a union's offset.
struct Part {
  int slot;
  int width;
  bool is_offset;
};

struct Field {
  const FieldRow* row = nullptr;
  Ref name;       // interned
  int width = 0;  // bytes of the code
  int part = 0;   // of the value; a union's type is the part before
  bool as_bytes = false;
  bool as_text = false;
  Ref enum_class;
  Ref enum_members;         // dict, by number; null until it is asked for
  Ref default_object;       // what Python holds for an absent scalar; null if nothing can
  std::vector<Ref> choice;  // the classes of a union's members
  Ref align_option;         // key of the alignments given to encode; null: force_align holds

  // The member with this number, borrowed; null if there is none. Throws Raised.
  PyObject* enum_member(int64_t number);
};

// How a table with one set of parts is laid out.
struct Layout {
  uint32_t size;                            // inline bytes, a multiple of 4
  bool eight;                               // has 8-byte parts
  int vtable;                               // index into Schema::vtables
  std::vector<std::pair<int, int>> places;  // part, offset in the table
};

struct Table {
  Ref cls;             // null: the table was not built yet
  int plain = -1;      // see Schema::prepare_reading, which has not been called yet
  bool leaf = true;    // all fields are scalars
  bool holder = false;  // the only field is a union
  int slots = 0;
  std::vector<Field> fields;
  std::vector<int> order;  // field indexes by position
  std::vector<Part> parts;
  std::unordered_map<uint64_t, std::unique_ptr<Layout>> layouts;
};

class Schema {
 public:
  // `find` gives the class of a table or an enum by its name; None for an enum held as ints.
  // Without `rows` (null) the schema is the packaged one; `rows` are bpte.program._schema's.
  // Throws Raised, with an exception set, for rows that cannot be used.
  Schema(PyObject* find, std::string identifier, PyObject* rows);

  [[nodiscard]] const std::string& identifier() const { return identifier_; }
  [[nodiscard]] size_t size() const { return tables_.size(); }
  [[nodiscard]] int root() const { return static_cast<int>(tables_.size()) - 1; }
  [[nodiscard]] const std::string& vtable(size_t index) const { return vtables_[index]; }
  [[nodiscard]] size_t vtable_count() const { return vtables_.size(); }

  // A table, built when it is first asked for. Throws Raised.
  Table& table(int index);
  // What only reading needs of a table: whether its class is plain (bpte.program._schema), and the
  // defaults as objects. Throws Raised.
  static void prepare_reading(Table& table);
  // The layout of `table` with the parts whose bits are set.
  const Layout& layout(Table& table, uint64_t parts);

 private:
  void parse(PyObject* rows);
  void build(int index, Table& table);
  void build_field(const FieldRow& row, Table& table);
  [[nodiscard]] Ref find(const char* name) const;

  Ref find_;
  std::string identifier_;
  const TableRow* rows_;
  Ref source_;                     // the parsed rows, to whose texts the rows below refer
  std::vector<TableRow> parsed_;
  std::vector<std::vector<FieldRow>> parsed_fields_;
  std::vector<std::unique_ptr<int[]>> parsed_refs_;
  std::vector<Table> tables_;      // the root is the last
  std::vector<std::string> vtables_;  // padded to multiples of 4
  std::unordered_map<std::string, int> vtable_index_;
};

}  // namespace bpte_native
