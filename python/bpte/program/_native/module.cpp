// SPDX-License-Identifier: BSD-3-Clause
// The Python module bpte.program._native.

#include <memory>

#include "reader.h"
#include "schema.h"
#include "tables.h"
#include "writer.h"

namespace bpte_native {
namespace {

struct CodecObject {
  PyObject ob_base;
  Schema* schema;
};

PyObject* codec_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  if (keywords != nullptr && PyDict_GET_SIZE(keywords) != 0) {
    PyErr_SetString(PyExc_TypeError, "Codec takes no keyword arguments");
    return nullptr;
  }
  PyObject *find, *rows = nullptr;
  const char* identifier = "";
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(args, "O|y#O!", &find, &identifier, &size, &PyTuple_Type, &rows)) {
    return nullptr;
  }
  std::unique_ptr<Schema> schema;
  try {
    schema = std::make_unique<Schema>(
        find, std::string(identifier, static_cast<size_t>(size)), rows);
  } catch (const Raised&) {
    return nullptr;
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self != nullptr) reinterpret_cast<CodecObject*>(self)->schema = schema.release();
  return self;
}

void codec_dealloc(PyObject* self) {
  delete reinterpret_cast<CodecObject*>(self)->schema;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* codec_encode(PyObject* self, PyObject* args) {
  PyObject *root, *head, *alignments;
  if (!PyArg_ParseTuple(args, "OO!O", &root, &PyDict_Type, &alignments, &head)) return nullptr;
  return encode(*reinterpret_cast<CodecObject*>(self)->schema, root, alignments, head);
}

PyObject* codec_decode(PyObject* self, PyObject* args) {
  PyObject* data;
  int views, allow_unknown;
  unsigned long long table_budget, element_budget;
  if (!PyArg_ParseTuple(args, "OppKK", &data, &views, &allow_unknown, &table_budget,
                        &element_budget)) {
    return nullptr;
  }
  return decode(*reinterpret_cast<CodecObject*>(self)->schema, data,
                {views != 0, allow_unknown != 0, table_budget, element_budget});
}

PyMethodDef codec_methods[] = {
    {"encode", codec_encode, METH_VARARGS, "encode(root, alignments, head) -> bytes"},
    {"decode", codec_decode, METH_VARARGS,
     "decode(data, views, allow_unknown, table_budget, element_budget) -> (root, unknown)"},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot codec_slots[] = {
    {Py_tp_doc, const_cast<char*>("A binding of bpte.program, ready to write and to read.")},
    {Py_tp_new, reinterpret_cast<void*>(codec_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(codec_dealloc)},
    {Py_tp_methods, codec_methods},
    {0, nullptr},
};

PyType_Spec codec_spec = {"bpte.program._native.Codec", sizeof(CodecObject), 0, Py_TPFLAGS_DEFAULT,
                          codec_slots};

// Option and force_align of the packaged schema's fields that have one.
PyObject* packaged_alignments() {
  PyObject* list = PyList_New(0);
  for (const FieldRow& row : kFields) {
    if (list == nullptr || row.force_align == 0) continue;
    PyObject* pair = Py_BuildValue("sI", row.option, row.force_align);
    if (pair == nullptr || PyList_Append(list, pair) < 0) Py_CLEAR(list);
    Py_XDECREF(pair);
  }
  return list;
}

int module_exec(PyObject* module) {
  if (PyModule_AddStringConstant(module, "FINGERPRINT", kFingerprint) < 0) return -1;
  PyObject* aligned = packaged_alignments();
  if (aligned == nullptr || PyModule_AddObjectRef(module, "ALIGNED", aligned) < 0) return -1;
  Py_DECREF(aligned);
  PyObject* type = PyType_FromSpec(&codec_spec);
  if (type == nullptr) return -1;
  int result = PyModule_AddObjectRef(module, "Codec", type);
  Py_DECREF(type);
  return result;
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {0, nullptr},
};

PyModuleDef module_def = {PyModuleDef_HEAD_INIT,
                          "_native",
                          "Native accelerator of bpte.program.",
                          0,
                          nullptr,
                          module_slots,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace
}  // namespace bpte_native

PyMODINIT_FUNC PyInit__native() {
  return PyModuleDef_Init(&bpte_native::module_def);
}
