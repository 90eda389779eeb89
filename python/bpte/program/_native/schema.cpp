// SPDX-License-Identifier: BSD-3-Clause

#include "schema.h"

#include <algorithm>
#include <cstring>

#include "tables.h"

namespace bpte_native {
namespace {

int width_of(char code) {
  switch (code) {
    case '?':
    case 'b':
    case 'B':
      return 1;
    case 'h':
    case 'H':
      return 2;
    case 'i':
    case 'I':
    case 'f':
      return 4;
    case 'q':
    case 'Q':
    case 'd':
      return 8;
    default:
      return 0;
  }
}

[[noreturn]] void refuse(PyObject* kind, const char* rule, const char* table) {
  PyErr_Format(kind, "table %s %s", table, rule);
  throw Raised();
}

}  // namespace

PyObject* Field::enum_member(int64_t number) {
  if (!enum_members) {
    Ref members = owned(PyDict_New());
    Ref all = owned(PySequence_List(enum_class.get()));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all.get()); ++i) {
      PyObject* member = PyList_GET_ITEM(all.get(), i);
      Ref key = owned(PyNumber_Long(member));
      if (PyDict_SetItem(members.get(), key.get(), member) < 0) throw Raised();
    }
    enum_members = std::move(members);
  }
  Ref key = owned(PyLong_FromLongLong(number));
  PyObject* found = PyDict_GetItemWithError(enum_members.get(), key.get());
  if (found == nullptr && PyErr_Occurred()) throw Raised();
  return found;
}

Schema::Schema(PyObject* find, std::string identifier, PyObject* rows)
    : find_(Ref::borrow(find)), identifier_(std::move(identifier)), rows_(kTables) {
  size_t count = std::size(kTables);
  if (rows == nullptr) {
    identifier_ = kIdentifier;
  } else {
    parse(rows);
    rows_ = parsed_.data();
    count = parsed_.size();
  }
  if (count == 0) {
    PyErr_SetString(PyExc_ValueError, "a schema wants a table");
    throw Raised();
  }
  tables_.resize(count);
}

void Schema::parse(PyObject* rows) {
  source_ = Ref::borrow(rows);
  const auto count = static_cast<size_t>(PyTuple_GET_SIZE(rows));
  for (size_t i = 0; i < count; ++i) {
    const char* table;
    PyObject* fields;
    if (!PyArg_ParseTuple(PyTuple_GET_ITEM(rows, static_cast<Py_ssize_t>(i)), "sO!", &table,
                          &PyTuple_Type, &fields)) {
      throw Raised();
    }
    std::vector<FieldRow> parsed(static_cast<size_t>(PyTuple_GET_SIZE(fields)));
    for (size_t k = 0; k < parsed.size(); ++k) {
      FieldRow& row = parsed[k];
      PyObject *default_value, *refs;
      const char* code;
      int kind;
      if (!PyArg_ParseTuple(PyTuple_GET_ITEM(fields, static_cast<Py_ssize_t>(k)), "siisOO!isIs",
                            &row.name, &row.slot, &kind, &code, &default_value, &PyTuple_Type,
                            &refs, &row.position, &row.holds, &row.force_align, &row.option)) {
        throw Raised();
      }
      row.kind = static_cast<Kind>(kind);
      row.code = code[0];
      if (PyFloat_Check(default_value)) {
        row.default_double = PyFloat_AS_DOUBLE(default_value);
      } else {
        row.default_integer = PyLong_AsLongLong(default_value);
      }
      row.ref_count = static_cast<int>(PyTuple_GET_SIZE(refs));
      parsed_refs_.push_back(std::make_unique<int[]>(static_cast<size_t>(row.ref_count)));
      for (int r = 0; r < row.ref_count; ++r) {
        const long index = PyLong_AsLong(PyTuple_GET_ITEM(refs, r));
        if (!PyErr_Occurred() && (index < 0 || static_cast<size_t>(index) >= count)) {
          refuse(PyExc_IndexError, "has a field that refers to no table", table);
        }
        parsed_refs_.back()[static_cast<size_t>(r)] = static_cast<int>(index);
      }
      if (PyErr_Occurred()) throw Raised();
      row.refs = parsed_refs_.back().get();
    }
    parsed_fields_.push_back(std::move(parsed));
    parsed_.push_back({table, parsed_fields_.back().data(),
                       static_cast<int>(parsed_fields_.back().size())});
  }
}

Table& Schema::table(int index) {
  Table& table = tables_[static_cast<size_t>(index)];
  if (!table.cls) build(index, table);
  return table;
}

void Schema::build(int index, Table& table) {
  const TableRow& row = rows_[index];
  Table built;
  for (int i = 0; i < row.count; ++i) build_field(row.fields[i], built);
  if (built.parts.size() > 64) refuse(PyExc_NotImplementedError, "has more than 64 parts", row.name);
  built.order.resize(built.fields.size());
  for (size_t i = 0; i < built.fields.size(); ++i) {
    auto position = static_cast<size_t>(built.fields[i].row->position);
    if (position >= built.order.size()) {
      refuse(PyExc_IndexError, "has fewer fields than a position says", row.name);
    }
    built.order[position] = static_cast<int>(i);
  }
  built.cls = find(row.name);
  if (!PyType_Check(built.cls.get())) refuse(PyExc_TypeError, "is bound to no class", row.name);
  table = std::move(built);
}

void Schema::build_field(const FieldRow& row, Table& table) {
  Field field;
  field.row = &row;
  field.name = owned(PyUnicode_InternFromString(row.name));
  field.width = width_of(row.code);
  field.as_bytes = std::strcmp(row.holds, "bytes") == 0;
  field.as_text = std::strcmp(row.holds, "text") == 0;
  if (row.option[0] != 0) field.align_option = owned(PyUnicode_InternFromString(row.option));
  if (row.holds[0] != 0 && !field.as_bytes && !field.as_text) {
    Ref cls = find(row.holds);
    if (cls.get() != Py_None) field.enum_class = std::move(cls);
  }
  if (row.kind == Kind::kUnion) {
    for (int i = 0; i < row.ref_count; ++i) {
      field.choice.push_back(find(rows_[row.refs[i]].name));
    }
    table.parts.push_back({row.slot - 1, 1, false});
  }
  field.part = static_cast<int>(table.parts.size());
  const bool scalar = row.kind == Kind::kScalar;
  table.parts.push_back({row.slot, scalar ? field.width : 4, !scalar});
  table.slots = std::max(table.slots, row.slot + 1);
  table.leaf = table.leaf && scalar;
  table.holder = table.fields.empty() && row.kind == Kind::kUnion;
  table.fields.push_back(std::move(field));
}

Ref Schema::find(const char* name) const {
  return owned(PyObject_CallFunction(find_.get(), "s", name));
}

void Schema::prepare_reading(Table& table) {
  if (table.plain >= 0) return;
  for (Field& field : table.fields) {
    const FieldRow& row = *field.row;
    if (row.kind != Kind::kScalar) continue;
    if (field.enum_class) {
      field.default_object = Ref::borrow(field.enum_member(row.default_integer));
    } else if (row.code == 'd' || row.code == 'f') {
      field.default_object = owned(PyFloat_FromDouble(row.default_double));
    } else if (row.code == '?') {
      field.default_object = owned(PyBool_FromLong(row.default_integer != 0));
    } else {
      field.default_object = owned(PyLong_FromLongLong(row.default_integer));
    }
  }
  Ref module = owned(PyImport_ImportModule("bpte.program._schema"));
  Ref plain = owned(PyObject_CallMethod(module.get(), "is_plain", "O", table.cls.get()));
  table.plain = plain.get() == Py_True ? 1 : 0;
}

const Layout& Schema::layout(Table& table, uint64_t parts) {
  std::unique_ptr<Layout>& found = table.layouts[parts];
  if (found) return *found;
  found = std::make_unique<Layout>();
  std::vector<int> present;
  for (size_t i = 0; i < table.parts.size(); ++i) {
    if (parts >> i & 1) present.push_back(static_cast<int>(i));
  }
  std::stable_sort(present.begin(), present.end(), [&](int a, int b) {
    return table.parts[static_cast<size_t>(a)].width > table.parts[static_cast<size_t>(b)].width;
  });
  int slots = 0, offset = 4;
  for (int part : present) slots = std::max(slots, table.parts[static_cast<size_t>(part)].slot + 1);
  std::vector<uint16_t> entries(static_cast<size_t>(slots) + 2, 0);
  for (int part : present) {
    const Part& inline_part = table.parts[static_cast<size_t>(part)];
    entries[static_cast<size_t>(inline_part.slot) + 2] = static_cast<uint16_t>(offset);
    found->places.emplace_back(part, offset);
    found->eight |= inline_part.width == 8;
    offset += inline_part.width;
  }
  entries[0] = static_cast<uint16_t>(2 * entries.size());
  entries[1] = static_cast<uint16_t>(offset);
  found->size = static_cast<uint32_t>((offset + 3) & ~3);
  std::string bytes(reinterpret_cast<const char*>(entries.data()), 2 * entries.size());
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  auto [at, added] = vtable_index_.emplace(bytes, static_cast<int>(vtables_.size()));
  if (added) vtables_.push_back(bytes);
  found->vtable = at->second;
  return *found;
}

}  // namespace bpte_native
