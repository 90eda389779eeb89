// SPDX-License-Identifier: BSD-3-Clause

#include "reader.h"

#include <algorithm>
#include <cstring>

namespace bpte_native {
namespace {

[[noreturn]] void refuse(const char* rule) {
  PyErr_SetString(PyExc_ValueError, rule);
  throw Raised();
}

// What one vtable states about the tables that use it.
struct Plan {
  uint32_t size = 0;          // inline bytes
  int phase = -1;             // the table's position modulo 8; -1: anything
  uint16_t offsets[64] = {};  // by part; 0: absent
};

class Reader {
 public:
  Reader(Schema& schema, PyObject* source, const Py_buffer& view, const ReadOptions& options)
      : schema_(schema),
        source_(source),
        data_(static_cast<const uint8_t*>(view.buf)),
        size_(static_cast<uint64_t>(view.len)),
        options_(options),
        plans_(schema.size()) {}

  PyObject* run() {
    if (size_ < 8) refuse("too few bytes");
    const std::string& identifier = schema_.identifier();
    if (identifier.size() != 4 || std::memcmp(data_ + 4, identifier.data(), 4)) {
      refuse("wrong identifier");
    }
    uint64_t root = load<uint32_t>(0);
    if (root < 8) refuse("root inside the header");
    Ref object = table(schema_.root(), root);
    return PyTuple_Pack(2, object.get(), unknown_ ? Py_True : Py_False);
  }

 private:
  template <typename T>
  T load(uint64_t at) const {
    T value;
    std::memcpy(&value, data_ + at, sizeof(T));
    return value;
  }

  const Plan& plan(int index, uint64_t at) {
    PlanCache& cache = plans_[static_cast<size_t>(index)];
    if (cache.last != nullptr && cache.last_at == at) return *cache.last;
    auto found = cache.plans.find(at);
    if (found == cache.plans.end()) {
      found = cache.plans.emplace(at, make_plan(index, at)).first;
    }
    cache.last_at = at;
    cache.last = &found->second;  // nodes of a map do not move
    return found->second;
  }

  Plan make_plan(int index, uint64_t at) {
    Table& table = schema_.table(index);
    Schema::prepare_reading(table);
    if (at & 1 || at > size_ || size_ - at < 4) refuse("vtable outside");
    uint64_t length = load<uint16_t>(at);
    if (length < 4 || length & 1 || length > size_ - at) refuse("vtable length");
    Plan plan;
    plan.size = load<uint16_t>(at + 2);
    if (plan.size < 4) refuse("table size");
    auto slots = static_cast<int>(length / 2 - 2);
    for (int slot = table.slots; slot < slots; ++slot) {
      if (load<uint16_t>(at + 4 + 2 * static_cast<uint64_t>(slot)) == 0) continue;
      if (!options_.allow_unknown) refuse("unknown field");
      unknown_ = true;
    }
    for (size_t i = 0; i < table.parts.size(); ++i) {
      const Part& part = table.parts[i];
      if (part.slot >= slots) continue;
      int offset = load<uint16_t>(at + 4 + 2 * static_cast<uint64_t>(part.slot));
      if (offset == 0) continue;
      int alignment = part.width < 4 ? part.width : 4;
      // Does not check the table's stated size: see _reader.py.
      if (offset < 4 || offset % alignment != 0) refuse("field place");
      plan.size = std::max(plan.size, static_cast<uint32_t>(offset + part.width));
      if (part.width == 8) {
        int phase = -offset & 7;
        if (plan.phase >= 0 && plan.phase != phase) refuse("field alignment");
        plan.phase = phase;
      }
      plan.offsets[i] = static_cast<uint16_t>(offset);
    }
    for (const Field& field : table.fields) {
      size_t part = static_cast<size_t>(field.part);
      if (field.row->kind == Kind::kUnion && plan.offsets[part] != 0 && plan.offsets[part - 1] == 0) {
        refuse("union without a type");
      }
      if (field.row->kind == Kind::kScalar && plan.offsets[part] == 0 && !field.default_object) {
        refuse("no such enum value");
      }
    }
    return plan;
  }

  Ref table(int index, uint64_t at) {
    if (tables_ >= options_.table_budget) refuse("too many tables");
    ++tables_;
    if (at & 3 || at > size_ || size_ - at < 4) refuse("table outside");
    Table& table = schema_.table(index);
    int64_t vtable = static_cast<int64_t>(at) - load<int32_t>(at);
    if (vtable < 0) refuse("vtable outside");
    const Plan& plan = this->plan(index, static_cast<uint64_t>(vtable));
    if (plan.size > size_ - at) refuse("table ends outside");
    if (plan.phase >= 0 && static_cast<int>(at & 7) != plan.phase) refuse("field alignment");
    Ref values[64];
    for (Field& field : table.fields) {
      values[field.row->position] = value(field, plan, at);
    }
    size_t count = table.fields.size();
    auto* cls = reinterpret_cast<PyTypeObject*>(table.cls.get());
    if (table.plain == 0) {
      PyObject* arguments[64];
      for (size_t i = 0; i < count; ++i) arguments[i] = values[i].get();
      return owned(PyObject_Vectorcall(table.cls.get(), arguments, count, nullptr));
    }
    Ref object = owned(cls->tp_alloc(cls, 0));
    for (size_t i = 0; i < count; ++i) {
      const Field& field = table.fields[static_cast<size_t>(table.order[i])];
      if (PyObject_GenericSetAttr(object.get(), field.name.get(), values[i].get()) < 0) {
        throw Raised();
      }
    }
    return object;
  }

  Ref value(Field& field, const Plan& plan, uint64_t at) {
    const FieldRow& row = *field.row;
    uint64_t offset = plan.offsets[field.part];
    if (row.kind == Kind::kUnion) {
      uint64_t kind = plan.offsets[field.part - 1];
      size_t choice = kind == 0 ? 0 : data_[at + kind];
      if (choice == 0 && offset == 0) return Ref::borrow(Py_None);
      if (offset == 0 || choice == 0 || choice > field.choice.size()) refuse("union type");
      return table(row.refs[choice - 1], follow(at + offset));
    }
    if (row.kind == Kind::kScalar) {
      if (offset == 0) return Ref::borrow(field.default_object.get());
      if (field.enum_class) {
        PyObject* member = field.enum_member(integer(row.code, at + offset));
        if (member == nullptr) refuse("no such enum value");
        return Ref::borrow(member);
      }
      return scalar(row.code, at + offset);
    }
    if (offset == 0) return Ref::borrow(Py_None);
    uint64_t target = follow(at + offset);
    switch (row.kind) {
      case Kind::kString:
        return text(target);
      case Kind::kTable:
        return table(row.refs[0], target);
      case Kind::kTables:
        return tables(row.refs[0], target);
      default:
        return field.as_bytes ? blob(target) : scalars(field, target);
    }
  }

  uint64_t follow(uint64_t at) const {
    uint64_t step = load<uint32_t>(at);
    if (step == 0) refuse("an offset of 0");
    return at + step;
  }

  int64_t integer(char code, uint64_t at) const {
    switch (code) {
      case 'b':
        return load<int8_t>(at);
      case '?':
      case 'B':
        return load<uint8_t>(at);
      case 'h':
        return load<int16_t>(at);
      case 'H':
        return load<uint16_t>(at);
      case 'i':
        return load<int32_t>(at);
      case 'I':
        return load<uint32_t>(at);
      default:
        return load<int64_t>(at);
    }
  }

  Ref scalar(char code, uint64_t at) const {
    switch (code) {
      case '?':
        return Ref::borrow(load<uint8_t>(at) != 0 ? Py_True : Py_False);
      case 'd':
        return owned(PyFloat_FromDouble(load<double>(at)));
      case 'f':
        return owned(PyFloat_FromDouble(load<float>(at)));
      case 'Q':
        return owned(PyLong_FromUnsignedLongLong(load<uint64_t>(at)));
      default:
        return owned(PyLong_FromLongLong(integer(code, at)));
    }
  }

  // The element count of the vector at `at`; its elements are inside the data.
  uint64_t length(uint64_t at, uint64_t width) const {
    if (at & 3 || at > size_ || size_ - at < 4) refuse("vector outside");
    uint64_t count = load<uint32_t>(at);
    if (count * width > size_ - at - 4) refuse("vector ends outside");
    if (width == 8 && count != 0 && (at + 4) & 7) refuse("vector alignment");
    return count;
  }

  Ref text(uint64_t at) {
    auto found = seen_.find(at);
    if (found != seen_.end()) return Ref::borrow(found->second.get());
    uint64_t count = length(at, 1);
    if (size_ - at - 4 == count || data_[at + 4 + count] != 0) refuse("string without its zero");
    Ref text = owned(PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(data_ + at + 4),
                                          static_cast<Py_ssize_t>(count), nullptr));
    seen_.emplace(at, Ref::borrow(text.get()));
    return text;
  }

  Ref blob(uint64_t at) {
    auto found = blobs_.find(at);
    if (found != blobs_.end()) return Ref::borrow(found->second.get());
    auto count = static_cast<Py_ssize_t>(length(at, 1));
    auto start = static_cast<Py_ssize_t>(at + 4);
    Ref blob;
    if (options_.views) {
      Ref first = owned(PyLong_FromSsize_t(start));
      Ref last = owned(PyLong_FromSsize_t(start + count));
      Ref slice = owned(PySlice_New(first.get(), last.get(), nullptr));
      blob = owned(PyObject_GetItem(source_, slice.get()));
    } else {
      blob = owned(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data_ + start), count));
    }
    blobs_.emplace(at, Ref::borrow(blob.get()));
    return blob;
  }

  Ref scalars(const Field& field, uint64_t at) {
    auto width = static_cast<uint64_t>(field.width);
    uint64_t count = length(at, width);
    if (count > options_.element_budget - elements_) refuse("too many elements");
    elements_ += count;
    Ref list = owned(PyList_New(static_cast<Py_ssize_t>(count)));
    for (uint64_t i = 0; i < count; ++i) {
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i),
                      scalar(field.row->code, at + 4 + i * width).release());
    }
    return list;
  }

  Ref tables(int index, uint64_t at) {
    uint64_t count = length(at, 4);
    if (count > options_.table_budget - tables_) refuse("too many tables");
    Ref list = owned(PyList_New(static_cast<Py_ssize_t>(count)));
    for (uint64_t i = 0; i < count; ++i) {
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i),
                      table(index, follow(at + 4 + 4 * i)).release());
    }
    return list;
  }

  struct PlanCache {
    uint64_t last_at = 0;
    const Plan* last = nullptr;
    std::unordered_map<uint64_t, Plan> plans;
  };

  Schema& schema_;
  PyObject* source_;
  const uint8_t* data_;
  uint64_t size_;
  ReadOptions options_;
  std::vector<PlanCache> plans_;
  std::unordered_map<uint64_t, Ref> seen_;   // strings by place
  std::unordered_map<uint64_t, Ref> blobs_;  // bytes by place
  uint64_t tables_ = 0;
  uint64_t elements_ = 0;
  bool unknown_ = false;
};

}  // namespace

PyObject* decode(Schema& schema, PyObject* data, const ReadOptions& options) {
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return nullptr;
  PyObject* result = nullptr;
  try {
    result = Reader(schema, data, view, options).run();
  } catch (const Raised&) {
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
  PyBuffer_Release(&view);
  return result;
}

}  // namespace bpte_native
