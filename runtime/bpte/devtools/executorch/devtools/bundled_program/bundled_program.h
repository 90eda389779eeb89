// SPDX-License-Identifier: BSD-3-Clause
//
// ExecuTorch's C++ interface to bundled programs (devtools/bundled_program, version 1.5) over
// bpte's core: the same names, signatures and meaning. Programs written for it read BP08 and BP09
// after they are compiled against this header and linked with bpte::devtools. docs/drop-in.md lists
// what differs.
//
// A file's content is passed as a pointer, which must be a multiple of 16, as malloc's are. The
// content must stay unchanged as long as it is used. BP09 states its own length, in its first 128
// bytes. BP08 does not: the length that get_program_data() or is_bundled_program() was given for
// this pointer counts, for the last eight of them. Without it, a damaged BP08 file can make the
// reader leave the buffer.
#pragma once

#ifdef USE_ATEN_LIB
#error "bpte::devtools is for ExecuTorch's own tensors: it cannot be compiled with USE_ATEN_LIB"
#endif

#include <executorch/runtime/core/error.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/platform/compiler.h>

#include <cstddef>

#define BUNDLED_PROGRAM_NAMESPACE bundled_program

namespace executorch {
namespace BUNDLED_PROGRAM_NAMESPACE {

/// A bundle's bytes, BP08 or BP09.
using SerializedBundledProgram = const void;
using ::executorch::ET_RUNTIME_NAMESPACE::Method;

/// Sets the method's inputs to those of case `testset_idx` of the suite that names the method.
/// Checks the case's CRC-32 (BP09). An input for which the program plans no memory refers to the
/// bundle's own bytes afterwards.
///
/// NotSupported: not a bundle, a case with steps, or an input that the method refuses.
/// InvalidArgument: no such suite or case, or as many inputs as the method has not.
/// InvalidExternalData: a damaged bundle; the log names the broken rule.
ET_NODISCARD ::executorch::runtime::Error load_bundled_input(
    Method& method, SerializedBundledProgram* bundled_program_ptr, size_t testset_idx);

/// Over all elements of all outputs. The relative error of an element is its absolute error divided
/// by the larger magnitude of both values, but at least by 1e-8.
struct ErrorStats {
  ::executorch::runtime::Error status;
  double mean_abs_error;
  double max_abs_error;
  double mean_relative_error;
  double max_relative_error;
};

/// Errors of the method's outputs against the expected ones of a case. Where `status` is not Ok,
/// the other members are 0.
///
/// NotSupported: an output that is not a float32 tensor, or that is laid out in another dim_order
/// than the expected one. InvalidArgument: not a bundle, no such suite or case, no expected
/// outputs, another number of outputs or of elements. InvalidExternalData as above.
ET_NODISCARD ErrorStats compute_method_output_error_stats(
    Method& method, SerializedBundledProgram* bundled_program_ptr, size_t testset_idx);

/// Judges the method's outputs against the expected ones of a case. Float32, float64 and float16
/// elements are close when |actual - expected| <= atol + rtol * |expected|; NaN equals NaN, and an
/// infinity equals one of the same sign. Elements of every other dtype must have the same bits.
/// Tensors are compared by logical index, whatever their dim_order. The tolerances that a bundle
/// states are not used.
///
/// Ok: they match. NotFound: they do not; the log says where.
/// NotSupported: not a bundle, a case with steps, or no expected outputs. InvalidArgument: no such
/// suite or case, another number of outputs, or a tolerance that is negative or NaN. InvalidState:
/// an output without memory. InvalidExternalData as above.
ET_NODISCARD ::executorch::runtime::Error verify_method_outputs(
    Method& method, SerializedBundledProgram* bundled_program_ptr, size_t testset_idx,
    double rtol = 1e-5, double atol = 1e-8);

/// Finds the program (.pte) in a bundle, in place. Checks all of the bundle but its checksums.
/// Remembers the length of a BP08 file; a BP09 file must have the length that it states.
///
/// NotSupported: not a bundle. InvalidExternalData as above. The results are then left alone.
ET_NODISCARD ::executorch::runtime::Error get_program_data(void* file_data, size_t file_data_len,
                                                           const void** out_program_data,
                                                           size_t* out_program_data_len);

/// Whether `file_data` begins as a bundle does: identifier BP08 or BP09. Remembers the length of a
/// BP08 file.
bool is_bundled_program(void* file_data, size_t file_data_len);

/// The same where no length is known: reads 8 bytes, and remembers nothing.
ET_DEPRECATED bool is_bundled_program(void* file_data);

}  // namespace BUNDLED_PROGRAM_NAMESPACE
}  // namespace executorch

// The names that ExecuTorch had before.
namespace torch {
namespace executor {
namespace bundled_program {

using serialized_bundled_program =
    ::executorch::BUNDLED_PROGRAM_NAMESPACE::SerializedBundledProgram;

ET_NODISCARD inline ::executorch::runtime::Error LoadBundledInput(
    ::executorch::BUNDLED_PROGRAM_NAMESPACE::Method& method,
    serialized_bundled_program* bundled_program_ptr, size_t testset_idx) {
  return ::executorch::BUNDLED_PROGRAM_NAMESPACE::load_bundled_input(method, bundled_program_ptr,
                                                                     testset_idx);
}

ET_NODISCARD inline ::executorch::runtime::Error VerifyResultWithBundledExpectedOutput(
    ::executorch::BUNDLED_PROGRAM_NAMESPACE::Method& method,
    serialized_bundled_program* bundled_program_ptr, size_t testset_idx, double rtol = 1e-5,
    double atol = 1e-8) {
  return ::executorch::BUNDLED_PROGRAM_NAMESPACE::verify_method_outputs(method, bundled_program_ptr,
                                                                        testset_idx, rtol, atol);
}

ET_NODISCARD inline ::executorch::runtime::Error GetProgramData(void* file_data,
                                                                size_t file_data_len,
                                                                const void** out_program_data,
                                                                size_t* out_program_data_len) {
  return ::executorch::BUNDLED_PROGRAM_NAMESPACE::get_program_data(
      file_data, file_data_len, out_program_data, out_program_data_len);
}

bool IsBundledProgram(void* file_data);

}  // namespace bundled_program
}  // namespace executor
}  // namespace torch
