// SPDX-License-Identifier: BSD-3-Clause

#include "schema.h"

#include <algorithm>

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

// Whether reading the members of an enum succeeded. A field that does not hold an enum has none.
bool parse_enum(PyObject* enums, PyObject* holds, Field& field) {
  PyObject* found = PyDict_GetItemWithError(enums, holds);
  if (found == nullptr) return !PyErr_Occurred();
  PyObject *cls, *members, *key, *value;
  if (!PyArg_ParseTuple(found, "OO!", &cls, &PyDict_Type, &members)) return false;
  field.enum_class = Ref::borrow(cls);
  Py_ssize_t at = 0;
  while (PyDict_Next(members, &at, &key, &value)) {
    field.enum_members.emplace(PyLong_AsLongLong(key), Ref::borrow(value));
  }
  return !PyErr_Occurred();
}

// The default, of the type with which Python holds the field.
bool parse_default(PyObject* value, Field& field) {
  if (field.kind != Kind::kScalar) return true;
  if (PyFloat_Check(value)) {
    field.default_double = PyFloat_AS_DOUBLE(value);
  } else {
    field.default_integer = PyLong_AsLongLong(value);
    if (field.default_integer == -1 && PyErr_Occurred()) return false;
  }
  if (!field.enum_class) {
    field.default_object = Ref::borrow(value);
    return true;
  }
  auto member = field.enum_members.find(field.default_integer);
  if (member != field.enum_members.end()) {
    field.default_object = Ref::borrow(member->second.get());
  }
  return true;
}

bool parse_field(PyObject* row, PyObject* classes, PyObject* enums, Table& table) {
  Field field;
  PyObject *name, *default_value, *refs, *holds, *option;
  const char* code;
  int kind;
  if (!PyArg_ParseTuple(row, "UiisOO!iUIU", &name, &field.slot, &kind, &code, &default_value,
                        &PyTuple_Type, &refs, &field.position, &holds, &field.force_align,
                        &option)) {
    return false;
  }
  Py_INCREF(name);
  PyUnicode_InternInPlace(&name);
  field.name = Ref(name);
  field.kind = static_cast<Kind>(kind);
  field.code = code[0];
  field.width = width_of(field.code);
  field.as_bytes = PyUnicode_CompareWithASCIIString(holds, "bytes") == 0;
  field.as_text = PyUnicode_CompareWithASCIIString(holds, "text") == 0;
  if (PyUnicode_GET_LENGTH(option) != 0) field.align_option = Ref::borrow(option);
  if (!parse_enum(enums, holds, field) || !parse_default(default_value, field)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(refs); ++i) {
    long index = PyLong_AsLong(PyTuple_GET_ITEM(refs, i));
    if (index < 0 || index >= PyTuple_GET_SIZE(classes)) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "a field refers to no table");
      return false;
    }
    field.refs.push_back(static_cast<int>(index));
    field.choice.emplace(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(classes, index)),
                         static_cast<int>(i) + 1);
  }
  if (field.kind == Kind::kUnion) table.parts.push_back({field.slot - 1, 1, false});
  field.part = static_cast<int>(table.parts.size());
  const bool scalar = field.kind == Kind::kScalar;
  table.parts.push_back({field.slot, scalar ? field.width : 4, !scalar});
  table.slots = std::max(table.slots, field.slot + 1);
  table.leaf = table.leaf && scalar;
  table.holder = table.fields.empty() && field.kind == Kind::kUnion;
  table.fields.push_back(std::move(field));
  return true;
}

bool parse_table(PyObject* row, PyObject* cls, PyObject* classes, PyObject* enums, Schema& schema) {
  Table table;
  PyObject* fields;
  const char* name;
  if (!PyArg_ParseTuple(row, "sO!", &name, &PyTuple_Type, &fields)) return false;
  if (!PyType_Check(cls)) {
    PyErr_Format(PyExc_TypeError, "table %s is bound to no class", name);
    return false;
  }
  table.cls = Ref::borrow(cls);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); ++i) {
    if (!parse_field(PyTuple_GET_ITEM(fields, i), classes, enums, table)) return false;
  }
  if (table.parts.size() > 64) {
    PyErr_Format(PyExc_NotImplementedError, "table %s has more than 64 parts", name);
    return false;
  }
  table.order.resize(table.fields.size());
  for (size_t i = 0; i < table.fields.size(); ++i) {
    auto position = static_cast<size_t>(table.fields[i].position);
    if (position >= table.order.size()) {
      PyErr_Format(PyExc_IndexError, "table %s has fewer fields than a position says", name);
      return false;
    }
    table.order[position] = static_cast<int>(i);
  }
  schema.tables.push_back(std::move(table));
  return true;
}

}  // namespace

std::unique_ptr<Schema> Schema::parse(PyObject* args) {
  auto schema = std::make_unique<Schema>();
  const char* identifier;
  Py_ssize_t size;
  PyObject *rows, *classes, *enums;
  if (!PyArg_ParseTuple(args, "y#O!O!O!", &identifier, &size, &PyTuple_Type, &rows, &PyTuple_Type,
                        &classes, &PyDict_Type, &enums)) {
    return nullptr;
  }
  schema->identifier.assign(identifier, static_cast<size_t>(size));
  Py_ssize_t count = PyTuple_GET_SIZE(rows);
  if (count == 0 || PyTuple_GET_SIZE(classes) != count) {
    PyErr_SetString(PyExc_ValueError, "a schema wants one class for each table, and a table");
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!parse_table(PyTuple_GET_ITEM(rows, i), PyTuple_GET_ITEM(classes, i), classes, enums,
                     *schema)) {
      return nullptr;
    }
  }
  return schema;
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
  auto [at, added] = vtable_index.emplace(bytes, static_cast<int>(vtables.size()));
  if (added) vtables.push_back(bytes);
  found->vtable = at->second;
  return *found;
}

}  // namespace bpte_native
