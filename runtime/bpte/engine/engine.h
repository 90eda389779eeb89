// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/data_source.h>
#include <bpte/core/tensor_view.h>
#include <bpte/core/text.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

/// Why an engine could not do what it was asked; the engine's message() names the operator,
/// backend, index or size.
enum class EngineError : uint8_t {
  kOk = 0,
  kInvalidProgram,   ///< the program is malformed or of a version that the engine does not know
  kUnknownMethod,    ///< the program has no such method
  kMissingOperator,  ///< an operator that the engine does not have; message() names it
  kMissingBackend,  ///< a delegate whose backend is not registered, or whose device is absent ("NPU
                    ///< absent")
  kMissingData,     ///< a tensor outside of the program that no data file has; message() names it
  kInvalidData,     ///< a data file is malformed, or does not fit the program
  kUnsupported,     ///< a feature, dtype or value kind that the engine does not have
  kOutOfMemory,   ///< an arena is too small; message() names which, and the size needed where it is
                  ///< known
  kInvalidInput,  ///< wrong index, kind, dtype, rank or size
  kExecutionFailed,  ///< the program ran into an error of its own
  kNoSuchOutput,
};

/// "invalid_program", "unknown_method", ... Never null; static storage.
const char* to_string(EngineError error);

struct ProgramLocation;

/// The data files (`.ptd`) that belong to a program: its external weights.
class DataFiles {
 public:
  virtual uint32_t count() const = 0;
  /// For messages.
  virtual Text name(uint32_t index) const = 0;
  /// Where the file lies; it has no data files of its own.
  virtual ProgramLocation location(uint32_t index) const = 0;

 protected:
  ~DataFiles() = default;
};

/// Where an engine finds the program: either `bytes` in place (aligned as the bundle states), or
/// [offset, offset + size) of `source`.
struct ProgramLocation {
  Span<const uint8_t> bytes;
  DataSource* source = nullptr;
  uint64_t offset = 0;
  uint64_t size = 0;
  const DataFiles* data = nullptr;  ///< null: the program has none
};

/// The one interface to something that executes programs: one program and one method at a time.
/// Call load(), then load_method(), then for every case set_input() for each input, execute() and
/// output(). Every call reports failure by its return value and message(). None aborts because of
/// data.
class Engine {
 public:
  /// For the report: "executorch", "reference".
  virtual const char* name() const = 0;
  /// Its version, or "".
  virtual const char* version() const = 0;

  /// The program and its data files must outlive the engine's use of them: they are used where they
  /// lie.
  [[nodiscard]] virtual EngineError load(const ProgramLocation& program) = 0;
  virtual bool has_method(const char* name, size_t name_size) const = 0;
  /// Makes a method ready to run, and releases the one before with its memory. State that a method
  /// mutates begins with its initial value again.
  [[nodiscard]] virtual EngineError load_method(const char* name, size_t name_size) = 0;

  /// Of the loaded method.
  virtual size_t input_count() const = 0;
  virtual size_t output_count() const = 0;
  /// The engine copies or refers to `value`, which stays valid until execute() has returned.
  [[nodiscard]] virtual EngineError set_input(size_t index, const Value& value) = 0;
  [[nodiscard]] virtual EngineError execute() = 0;
  /// A view into the engine's memory, valid until the next call other than output(). A value of a
  /// kind that Value cannot hold is kUnsupported.
  [[nodiscard]] virtual EngineError output(size_t index, Value& value) = 0;

  /// One line about the last failure, with names; "" when there was none. NUL-terminated, valid
  /// until the next call.
  virtual const char* message() const = 0;

  /// What stood in, during the last execute(), for hardware that the program was compiled for: a
  /// few words for the record, such as "Ethos-U functional model, not an NPU". "" when nothing did.
  /// Static storage.
  virtual const char* stand_in() const { return ""; }

 protected:
  ~Engine() = default;
};

}  // namespace bpte
