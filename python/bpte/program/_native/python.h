// SPDX-License-Identifier: BSD-3-Clause
// What this extension adds to Python's C API: owned references, and containers whose memory Python
// counts (tracemalloc sees it).

#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#if PY_BIG_ENDIAN
#error \
    "FlatBuffers are little-endian, and so is this accelerator; the pure Python path serves here."
#endif

namespace bpte_native {

// Thrown when a Python exception is set.
struct Raised {};

// A strong reference, or nothing.
class Ref {
 public:
  Ref() = default;
  // Takes over a reference that the caller owns.
  explicit Ref(PyObject* owned) : object_(owned) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { Py_XDECREF(object_); }

  static Ref borrow(PyObject* object) {
    Py_XINCREF(object);
    return Ref(object);
  }

  [[nodiscard]] PyObject* get() const { return object_; }
  [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

// Takes over what a call of Python's API returned. Throws Raised for null.
inline Ref owned(PyObject* object) {
  if (object == nullptr) throw Raised();
  return Ref(object);
}

template <typename T>
struct PythonAllocator {
  using value_type = T;
  PythonAllocator() = default;
  template <typename U>
  PythonAllocator(const PythonAllocator<U>&) {}  // NOLINT: allocators convert
  T* allocate(std::size_t count) {
    void* memory = PyMem_RawMalloc(count * sizeof(T));
    if (memory == nullptr) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { PyMem_RawFree(memory); }
  template <typename U>
  bool operator==(const PythonAllocator<U>&) const {
    return true;
  }
  template <typename U>
  bool operator!=(const PythonAllocator<U>&) const {
    return false;
  }
};

template <typename T>
using PyVector = std::vector<T, PythonAllocator<T>>;

}  // namespace bpte_native
