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

bool parse_field(PyObject* item, Table& table) {
  Field field;
  PyObject *name, *default_value, *default_object, *members, *enum_class, *enum_check,
      *enum_members;
  int kind, code, as_bytes, as_text;
  unsigned int force_align;
  if (!PyArg_ParseTuple(item, "UiiiCOOiO!OOOppiI", &name, &field.position, &field.slot, &kind,
                        &code, &default_value, &default_object, &field.table, &PyTuple_Type,
                        &members, &enum_class, &enum_check, &enum_members, &as_bytes, &as_text,
                        &field.align_option, &force_align)) {
    return false;
  }
  Py_INCREF(name);
  PyUnicode_InternInPlace(&name);
  field.name = Ref(name);
  field.kind = static_cast<Kind>(kind);
  field.code = static_cast<char>(code);
  field.width = width_of(field.code);
  field.as_bytes = as_bytes != 0;
  field.as_text = as_text != 0;
  field.force_align = force_align;
  if (field.kind == Kind::kScalar) {
    if (PyFloat_Check(default_value)) {
      field.default_double = PyFloat_AS_DOUBLE(default_value);
    } else {
      field.default_integer = PyLong_AsLongLong(default_value);
      if (field.default_integer == -1 && PyErr_Occurred()) return false;
    }
    if (default_object != Py_None) field.default_object = Ref::borrow(default_object);
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(members); ++i) {
    PyObject *index, *cls;
    if (!PyArg_ParseTuple(PyTuple_GET_ITEM(members, i), "OO!", &index, &PyType_Type, &cls)) {
      return false;
    }
    field.members.push_back(static_cast<int>(PyLong_AsLong(index)));
    field.choice.emplace(reinterpret_cast<PyTypeObject*>(cls), static_cast<int>(i) + 1);
  }
  if (enum_class != Py_None) {
    field.enum_class = Ref::borrow(enum_class);
    field.enum_check = Ref::borrow(enum_check);
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(enum_members, &at, &key, &value)) {
      field.enum_members.emplace(PyLong_AsLongLong(key), Ref::borrow(value));
    }
  }
  if (PyErr_Occurred()) return false;
  if (field.kind == Kind::kUnion) table.parts.push_back({field.slot - 1, 1, false});
  field.part = static_cast<int>(table.parts.size());
  const bool scalar = field.kind == Kind::kScalar;
  table.parts.push_back({field.slot, scalar ? field.width : 4, !scalar});
  table.fields.push_back(std::move(field));
  return true;
}

bool parse_table(PyObject* item, Schema& schema) {
  Table table;
  PyObject *cls, *name, *fields;
  int plain, leaf, holder;
  if (!PyArg_ParseTuple(item, "O!UpppiO!", &PyType_Type, &cls, &name, &plain, &leaf, &holder,
                        &table.slots, &PyTuple_Type, &fields)) {
    return false;
  }
  table.cls = Ref::borrow(cls);
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return false;
  table.name = text;
  table.plain = plain != 0;
  table.leaf = leaf != 0;
  table.holder = holder != 0;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); ++i) {
    if (!parse_field(PyTuple_GET_ITEM(fields, i), table)) return false;
  }
  if (table.parts.size() > 64) {
    PyErr_Format(PyExc_NotImplementedError, "table %s has more than 64 parts", text);
    return false;
  }
  table.order.resize(table.fields.size());
  for (size_t i = 0; i < table.fields.size(); ++i) {
    table.order[static_cast<size_t>(table.fields[i].position)] = static_cast<int>(i);
  }
  schema.tables.push_back(std::move(table));
  return true;
}

}  // namespace

std::unique_ptr<Schema> Schema::parse(PyObject* tables, PyObject* identifier, PyObject* helpers) {
  auto schema = std::make_unique<Schema>();
  char* bytes;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(identifier, &bytes, &size) < 0) return nullptr;
  schema->identifier.assign(bytes, static_cast<size_t>(size));
  PyObject *integer, *boolean, *to_double, *double_or_text, *text, *items, *blob;
  if (!PyArg_ParseTuple(helpers, "OOOOOOO", &integer, &boolean, &to_double, &double_or_text, &text,
                        &items, &blob)) {
    return nullptr;
  }
  Helpers& to = schema->helpers;
  to.integer = Ref::borrow(integer);
  to.boolean = Ref::borrow(boolean);
  to.to_double = Ref::borrow(to_double);
  to.double_or_text = Ref::borrow(double_or_text);
  to.text = Ref::borrow(text);
  to.items = Ref::borrow(items);
  to.blob = Ref::borrow(blob);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tables); ++i) {
    if (!parse_table(PyTuple_GET_ITEM(tables, i), *schema)) return nullptr;
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
