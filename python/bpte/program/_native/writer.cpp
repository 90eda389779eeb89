// SPDX-License-Identifier: BSD-3-Clause

#include "writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "arena.h"
#include "tables.h"

namespace bpte_native {
namespace {

// Bytes from this size on stay where they are until the file is put together.
constexpr size_t kBorrowed = 16384;

constexpr uint32_t kTextTag = 1;
constexpr uint32_t kVectorTag = 2;      // 4-byte aligned
constexpr uint32_t kWideVectorTag = 3;  // elements 8-byte aligned
constexpr uint32_t kLeafTag = 16;       // + vtable

template <typename T>
void store(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof(T));
}

// Converts a value that is not of the plain Python type by bpte.program._values.`conversion`.
Ref convert(const char* conversion, PyObject* value) {
  Ref module = owned(PyImport_ImportModule("bpte.program._values"));
  Ref function = owned(PyObject_GetAttrString(module.get(), conversion));
  return owned(PyObject_CallOneArg(function.get(), value));
}

class Buffer {
 public:
  explicit Buffer(PyObject* object) {
    if (PyObject_GetBuffer(object, &view_, PyBUF_SIMPLE) < 0) throw Raised();
  }
  Buffer(Buffer&& other) noexcept : view_(other.view_) { other.view_.obj = nullptr; }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() {
    if (view_.obj != nullptr) PyBuffer_Release(&view_);
  }
  [[nodiscard]] const uint8_t* data() const { return static_cast<const uint8_t*>(view_.buf); }
  [[nodiscard]] size_t size() const { return static_cast<size_t>(view_.len); }

 private:
  Py_buffer view_;
};

class Writer {
 public:
  Writer(Schema& schema, PyObject* alignments)
      : schema_(schema), alignments_(alignments), shared_(arena_), holders_(schema.size()) {}

  uint64_t write_root(PyObject* root) { return write(schema_.root(), root); }

  PyObject* finish(uint64_t root, PyObject* head) {
    Ref start = owned(PyObject_CallFunction(
        head, "y#KKK", schema_.identifier().data(),
        static_cast<Py_ssize_t>(schema_.identifier().size()),
        static_cast<unsigned long long>(distance_), static_cast<unsigned long long>(root),
        static_cast<unsigned long long>(alignment_)));
    char* bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(start.get(), &bytes, &size) < 0) throw Raised();
    if (distance_ > static_cast<uint64_t>(PY_SSIZE_T_MAX - size)) throw std::bad_alloc();
    Ref result =
        owned(PyBytes_FromStringAndSize(nullptr, size + static_cast<Py_ssize_t>(distance_)));
    auto* out = reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(result.get()));
    std::memcpy(out, bytes, static_cast<size_t>(size));
    uint8_t* end = out + size + static_cast<size_t>(distance_);
    size_t done = 0;
    for (const auto& [place, buffer] : borrowed_) {
      end -= place - done;
      std::memcpy(end, arena_.at(place), place - done);
      done = place;
      end -= buffer.size();
      std::memcpy(end, buffer.data(), buffer.size());
    }
    end -= arena_.used() - done;
    if (arena_.used() != done) std::memcpy(end, arena_.at(arena_.used()), arena_.used() - done);
    return result.release();
  }

 private:
  uint8_t* prepend(size_t count) {
    uint8_t* at = arena_.prepend(count);
    distance_ += count;
    return at;
  }
  void pad(size_t count) {
    if (count != 0) std::memset(prepend(count), 0, count);
  }

  // Writes an object of a table's class; gives its distance from the end.
  uint64_t write(int index, PyObject* object) {
    Table& table = schema_.table(index);
    if (reinterpret_cast<PyObject*>(Py_TYPE(object)) != table.cls.get()) {
      PyErr_Format(PyExc_TypeError, "unexpected a %s", Py_TYPE(object)->tp_name);
      throw Raised();
    }
    uint64_t values[64];
    uint64_t present = 0;
    bool shares_leaf = false;
    uint64_t holder_key = 0;
    for (size_t i = table.fields.size(); i-- > 0;) {
      Field& field = table.fields[i];
      if (field.row->kind == Kind::kScalar) continue;
      Ref value = owned(PyObject_GetAttr(object, field.name.get()));
      uint64_t& target = values[field.part];
      if (field.row->kind == Kind::kUnion) {
        uint64_t& choice = values[field.part - 1];
        bool leaf = true;
        choice = target = 0;
        if (value.get() != Py_None) {
          choice = member_number(field, value.get());
          const int member = field.row->refs[choice - 1];
          leaf = schema_.table(member).leaf;
          target = write(member, value.get());
          present |= uint64_t{3} << (field.part - 1);
        }
        if (table.holder && leaf) {
          holder_key = choice << 32 | target;
          auto known = holders_[static_cast<size_t>(index)].find(holder_key);
          if (known != holders_[static_cast<size_t>(index)].end()) return known->second;
          shares_leaf = true;
        }
      } else if (value.get() != Py_None) {
        target = child(field, value.get());
        present |= uint64_t{1} << field.part;
      }
    }
    for (Field& field : table.fields) {
      if (field.row->kind != Kind::kScalar) continue;
      Ref value = owned(PyObject_GetAttr(object, field.name.get()));
      uint64_t& bits = values[field.part];
      if (scalar(field, value.get(), &bits)) present |= uint64_t{1} << field.part;
    }
    uint64_t place = emit(table, present, values);
    if (shares_leaf) holders_[static_cast<size_t>(index)].emplace(holder_key, place);
    return place;
  }

  // The number of the union's member that the value is, from 1.
  static uint64_t member_number(const Field& field, PyObject* value) {
    for (size_t i = 0; i < field.choice.size(); ++i) {
      if (field.choice[i].get() == reinterpret_cast<PyObject*>(Py_TYPE(value))) return i + 1;
    }
    PyErr_Format(PyExc_TypeError, "unexpected a %s", Py_TYPE(value)->tp_name);
    throw Raised();
  }

  // Writes the inline part of a table (and its vtable, if it is the first of its kind).
  uint64_t emit(Table& table, uint64_t present, const uint64_t* values) {
    const Layout& layout = schema_.layout(table, present);
    uint32_t tag = kLeafTag + static_cast<uint32_t>(layout.vtable);
    if (table.leaf) {
      uint8_t payload[64 * 8 + 8] = {};
      for (auto [part, offset] : layout.places) {
        std::memcpy(payload + offset - 4, &values[part],
                    static_cast<size_t>(table.parts[static_cast<size_t>(part)].width));
      }
      size_t count = layout.size - 4;
      uint32_t known = shared_.find(tag, payload, count);
      if (known != 0) return known;
      uint64_t place = align(layout);
      uint8_t* at = prepend(layout.size);
      std::memcpy(at + 4, payload, count);
      shared_.note(tag, arena_.used() - 4, count, static_cast<uint32_t>(place));
      finish_table(layout, place, at);
      return place;
    }
    uint64_t place = align(layout);
    uint8_t* at = prepend(layout.size);
    std::memset(at + layout.size - 4, 0, 4);  // the padding after the last field
    for (auto [part, offset] : layout.places) {
      const Part& inline_part = table.parts[static_cast<size_t>(part)];
      uint64_t value = values[part];
      if (inline_part.is_offset) value = place - static_cast<uint64_t>(offset) - value;
      std::memcpy(at + offset, &value, static_cast<size_t>(inline_part.width));
    }
    finish_table(layout, place, at);
    return place;
  }

  // Aligns for a table that is written next; gives the distance it will have.
  uint64_t align(const Layout& layout) {
    if (layout.eight) {
      alignment_ = std::max<uint64_t>(alignment_, 8);
      if (!((distance_ + layout.size) & 4)) pad(4);
    }
    return distance_ + layout.size;
  }

  // Stores the vtable offset of the table at `at`, which was written last.
  void finish_table(const Layout& layout, uint64_t place, uint8_t* at) {
    auto index = static_cast<size_t>(layout.vtable);
    if (index >= vtables_.size()) vtables_.resize(schema_.vtable_count() + 8, 0);
    uint64_t& vtable = vtables_[index];
    if (vtable != 0) {
      store(at, static_cast<int32_t>(vtable - place));
      return;
    }
    const std::string& bytes = schema_.vtable(index);
    vtable = place + bytes.size();
    store(at, static_cast<int32_t>(bytes.size()));
    std::memcpy(prepend(bytes.size()), bytes.data(), bytes.size());
  }

  // Whether the scalar is to be stored; its little-endian bytes.
  bool scalar(Field& field, PyObject* value, uint64_t* bits) {
    const FieldRow& row = *field.row;
    *bits = 0;
    switch (row.code) {
      case '?': {
        *bits = boolean(value) ? 1 : 0;
        return *bits != static_cast<uint64_t>(row.default_integer);
      }
      case 'd': {
        double number = real(value, field.as_text);
        std::memcpy(bits, &number, 8);
        if (row.default_double != 0) return number != row.default_double;
        return *bits != 0;
      }
      case 'f': {
        double number = real(value, field.as_text);
        float stored = narrow(number);
        std::memcpy(bits, &stored, 4);
        if (row.default_double != 0) return number != row.default_double;
        return number != 0 || std::signbit(number);
      }
      default:
        break;
    }
    integer(row.code, value, bits);
    if (field.enum_class && reinterpret_cast<PyObject*>(Py_TYPE(value)) != field.enum_class.get() &&
        field.enum_member(static_cast<int64_t>(*bits)) == nullptr) {
      PyErr_SetString(PyExc_ValueError, "no member of the enum");
      throw Raised();
    }
    return static_cast<int64_t>(*bits) != row.default_integer;
  }

  // The value in 64 bits, sign-extended; in the range of its code.
  void integer(char code, PyObject* value, uint64_t* bits) {
    Ref converted;
    if (!PyLong_Check(value)) {
      converted = convert("integer", value);
      value = converted.get();
    }
    if (code == 'Q') {
      *bits = PyLong_AsUnsignedLongLong(value);
      if (*bits == std::numeric_limits<uint64_t>::max() && PyErr_Occurred()) throw Raised();
      return;
    }
    int64_t number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred()) throw Raised();
    int64_t low = 0, high = 0;
    switch (code) {
      case 'b':
        low = INT8_MIN, high = INT8_MAX;
        break;
      case 'B':
        high = UINT8_MAX;
        break;
      case 'h':
        low = INT16_MIN, high = INT16_MAX;
        break;
      case 'H':
        high = UINT16_MAX;
        break;
      case 'i':
        low = INT32_MIN, high = INT32_MAX;
        break;
      case 'I':
        high = UINT32_MAX;
        break;
      default:
        low = INT64_MIN, high = INT64_MAX;
        break;
    }
    if (number < low || number > high) {
      PyErr_SetString(PyExc_OverflowError, "integer out of range");
      throw Raised();
    }
    *bits = static_cast<uint64_t>(number);
  }

  bool boolean(PyObject* value) {
    if (value == Py_True) return true;
    if (value == Py_False) return false;
    return convert("boolean", value).get() == Py_True;
  }

  double real(PyObject* value, bool as_text) {
    if (PyFloat_CheckExact(value)) return PyFloat_AS_DOUBLE(value);
    Ref converted = convert(as_text ? "double_or_text" : "double", value);
    double number = PyFloat_AsDouble(converted.get());
    if (number == -1.0 && PyErr_Occurred()) throw Raised();
    return number;
  }

  static float narrow(double number) {
    auto result = static_cast<float>(number);
    if (std::isinf(result) && !std::isinf(number)) {
      PyErr_SetString(PyExc_OverflowError, "float too large to pack with f format");
      throw Raised();
    }
    return result;
  }

  // Writes what a field refers to; gives its distance.
  uint64_t child(const Field& field, PyObject* value) {
    switch (field.row->kind) {
      case Kind::kTable:
        return write(field.row->refs[0], value);
      case Kind::kString:
        return text(value);
      case Kind::kTables:
        return tables(field, value);
      default:
        return field.as_bytes ? bytes(field, value) : scalars(field, value);
    }
  }

  uint64_t text(PyObject* value) {
    Ref converted;
    if (!PyUnicode_CheckExact(value)) {
      converted = convert("text", value);
      value = converted.get();
    }
    Ref encoded;
    const char* data;
    Py_ssize_t size;
    if (PyUnicode_IS_COMPACT_ASCII(value)) {
      data = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(value));
      size = PyUnicode_GET_LENGTH(value);
    } else {
      encoded = owned(PyUnicode_AsUTF8String(value));
      data = PyBytes_AS_STRING(encoded.get());
      size = PyBytes_GET_SIZE(encoded.get());
    }
    auto count = static_cast<size_t>(size);
    check_length(count);
    const auto* start = reinterpret_cast<const uint8_t*>(data);
    uint32_t known = shared_.find(kTextTag, start, count);
    if (known != 0) return known;
    size_t total = 8 + (count & ~size_t{3});
    uint8_t* at = prepend(total);
    std::memset(at + total - 4, 0, 4);
    store(at, static_cast<uint32_t>(count));
    std::memcpy(at + 4, start, count);
    shared_.note(kTextTag, arena_.used() - 4, count, static_cast<uint32_t>(distance_));
    return distance_;
  }

  static void check_length(size_t count) {
    if (count > INT32_MAX) {
      PyErr_SetString(PyExc_OverflowError, "too many elements for a FlatBuffer");
      throw Raised();
    }
  }

  // A list or a tuple, whose items are reached with an index check: converting an item may run
  // code that changes the list.
  struct Items {
    Ref owner;
    bool is_list;
    size_t count;

    [[nodiscard]] Ref item(size_t i) const {
      PyObject* sequence = owner.get();
      Py_ssize_t size = is_list ? PyList_GET_SIZE(sequence) : PyTuple_GET_SIZE(sequence);
      if (static_cast<size_t>(size) != count) {
        PyErr_SetString(PyExc_RuntimeError, "a list changed while it was written");
        throw Raised();
      }
      auto at = static_cast<Py_ssize_t>(i);
      return Ref::borrow(is_list ? PyList_GET_ITEM(sequence, at) : PyTuple_GET_ITEM(sequence, at));
    }
  };

  Items items(PyObject* value) {
    Items result;
    result.owner =
        PyList_Check(value) || PyTuple_Check(value) ? Ref::borrow(value) : convert("items", value);
    result.is_list = PyList_Check(result.owner.get()) != 0;
    result.count = static_cast<size_t>(result.is_list ? PyList_GET_SIZE(result.owner.get())
                                                      : PyTuple_GET_SIZE(result.owner.get()));
    check_length(result.count);
    return result;
  }

  uint64_t tables(const Field& field, PyObject* value) {
    Items list = items(value);
    PyVector<uint64_t> places(list.count);
    for (size_t i = list.count; i-- > 0;) {
      places[i] = write(field.row->refs[0], list.item(i).get());
    }
    uint8_t* at = prepend(4 + 4 * list.count);
    store(at, static_cast<uint32_t>(list.count));
    for (size_t i = 0; i < list.count; ++i) {
      at += 4;
      store(at, static_cast<uint32_t>(distance_ - 4 - 4 * i - places[i]));
    }
    return distance_;
  }

  uint64_t bytes(const Field& field, PyObject* value) {
    Ref converted;
    if (!PyBytes_CheckExact(value)) {
      converted = convert("blob", value);
      value = converted.get();
    }
    Buffer buffer(value);
    size_t count = buffer.size();
    check_length(count);
    if (field.row->force_align == 0) return small(buffer.data(), count, 1);
    uint64_t alignment = std::max<uint64_t>(this->alignment(field), 4);
    alignment_ = std::max(alignment_, alignment);
    pad(static_cast<size_t>(-(distance_ + count) & (alignment - 1)));
    if (count >= kBorrowed) {
      borrowed_.emplace_back(arena_.used(), std::move(buffer));
      distance_ += count;
    } else if (count != 0) {
      std::memcpy(prepend(count), buffer.data(), count);
    }
    store(prepend(4), static_cast<uint32_t>(count));
    return distance_;
  }

  uint64_t alignment(const Field& field) {
    if (!field.align_option) return field.row->force_align;
    PyObject* given = PyDict_GetItemWithError(alignments_, field.align_option.get());
    if (given == nullptr) {
      if (!PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, field.align_option.get());
      throw Raised();
    }
    unsigned long alignment = PyLong_AsUnsignedLong(given);
    if (PyErr_Occurred()) throw Raised();
    return alignment;
  }

  uint64_t scalars(const Field& field, PyObject* value) {
    Items list = items(value);
    auto width = static_cast<size_t>(field.width);
    uint8_t few[512];
    PyVector<uint8_t> many;
    uint8_t* data = few;
    if (list.count * width > sizeof(few)) {
      many.resize(list.count * width);
      data = many.data();
    }
    for (size_t i = 0; i < list.count; ++i) {
      Ref item = list.item(i);
      uint64_t bits = 0;
      switch (field.row->code) {
        case '?':
          bits = boolean(item.get()) ? 1 : 0;
          break;
        case 'd': {
          double number = real(item.get(), false);
          std::memcpy(&bits, &number, 8);
          break;
        }
        case 'f': {
          float number = narrow(real(item.get(), false));
          std::memcpy(&bits, &number, 4);
          break;
        }
        default:
          integer(field.row->code, item.get(), &bits);
      }
      std::memcpy(data + i * width, &bits, width);
    }
    return small(data, list.count, width);
  }

  // Writes a vector of scalars, or finds one like it.
  uint64_t small(const uint8_t* data, size_t count, size_t width) {
    size_t payload = count * width;
    size_t total = (4 + payload + 3) & ~size_t{3};
    bool shares = total <= kSharedBytes;
    uint32_t tag = width == 8 ? kWideVectorTag : kVectorTag;
    if (shares) {
      uint8_t packed[kSharedBytes] = {};
      store(packed, static_cast<uint32_t>(count));
      std::memcpy(packed + 4, data, payload);
      uint32_t known = shared_.find(tag, packed, total);
      if (known != 0) return known;
    }
    if (width == 8 && count != 0) {
      alignment_ = std::max<uint64_t>(alignment_, 8);
      if (distance_ & 4) pad(4);
    }
    uint8_t* at = prepend(total);
    std::memset(at + total - 4, 0, 4);
    store(at, static_cast<uint32_t>(count));
    if (payload != 0) std::memcpy(at + 4, data, payload);
    if (shares) shared_.note(tag, arena_.used(), total, static_cast<uint32_t>(distance_));
    return distance_;
  }

  Schema& schema_;
  PyObject* alignments_;
  Arena arena_;
  Shared shared_;
  std::vector<std::unordered_map<uint64_t, uint64_t>> holders_;
  PyVector<uint64_t> vtables_;                       // distances, 0: not written yet
  std::vector<std::pair<size_t, Buffer>> borrowed_;  // the arena's place after each
  uint64_t distance_ = 0;
  uint64_t alignment_ = 4;
};

}  // namespace

PyObject* encode(Schema& schema, PyObject* root, PyObject* alignments, PyObject* head) {
  try {
    Writer writer(schema, alignments);
    uint64_t distance = writer.write_root(root);
    return writer.finish(distance, head);
  } catch (const Raised&) {
    return nullptr;
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace bpte_native
