// SPDX-License-Identifier: BSD-3-Clause
//
// libFuzzer target: compare() on arbitrary values. A wrong structure must be refused without a read
// outside the data. For a right one, the counts must be those of the plain loop below, and both
// variants of compare() must agree.
//
// Links with tests/fuzz/compare_small.cpp and the core. The input is read front to back: first what
// the values are, then their bytes, which are repeated as often as the values are long.

#include <bpte/core/compare.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <utility>

extern "C" void compare_small(const void* expected, const void* actual, const void* tolerance,
                              void* result);

namespace {

using bpte::Comparison;
using bpte::NanPolicy;
using bpte::Reason;
using bpte::ScalarType;
using bpte::Tolerance;
using bpte::Value;
using bpte::ValueKind;

constexpr size_t kMaxNumel = 800;      // some blocks
constexpr size_t kRarelyNumel = 5000;  // some blocks of bytes

void require(bool ok, const char* what) {
  if (!ok) {
    std::fprintf(stderr, "violated: %s\n", what);
    std::abort();
  }
}

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
  double real() {
    uint8_t bytes[8];
    for (uint8_t& b : bytes) {
      b = byte();
    }
    double value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
  }
  // Repeats the rest of the input, changed each time so that repetitions differ.
  void fill(uint8_t* to, size_t count) {
    const size_t left = size_ - at_;
    for (size_t i = 0; i < count; ++i) {
      to[i] = left == 0 ? 0 : static_cast<uint8_t>(data_[at_ + i % left] + (i / left) / 8);
    }
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

const ScalarType kTypes[] = {ScalarType::kByte,     ScalarType::kChar,   ScalarType::kShort,
                             ScalarType::kInt,      ScalarType::kLong,   ScalarType::kHalf,
                             ScalarType::kFloat,    ScalarType::kDouble, ScalarType::kBool,
                             ScalarType::kBFloat16, ScalarType::kUInt16, ScalarType::kUInt32,
                             ScalarType::kUInt64};

// A tensor whose data has exactly its size in memory of its own.
struct Tensor {
  Value value;
  int32_t sizes[20] = {};
  uint8_t dim_order[20] = {};
  size_t rank = 0;
  size_t numel = 0;
  std::unique_ptr<uint8_t[]> data;

  void refer(size_t bytes) {
    value.kind = ValueKind::kTensor;
    value.tensor.sizes = {sizes, rank};
    value.tensor.dim_order = {dim_order, rank};
    value.tensor.data = {data.get(), bytes};
  }
  void shuffle_order(Input& input) {
    for (size_t d = 0; d < rank; ++d) {
      dim_order[d] = static_cast<uint8_t>(d);
    }
    for (size_t d = rank; d > 1; --d) {
      std::swap(dim_order[d - 1], dim_order[input.byte() % d]);
    }
  }
  size_t offset(size_t logical) const {  // in elements
    size_t index[20] = {};
    for (size_t d = rank; d-- > 0;) {
      index[d] = logical % static_cast<size_t>(sizes[d]);
      logical /= static_cast<size_t>(sizes[d]);
    }
    size_t at = 0;
    for (size_t k = 0; k < rank; ++k) {
      at = at * static_cast<size_t>(sizes[dim_order[k]]) + index[dim_order[k]];
    }
    return at;
  }
};

// The plain loop's view of an element.
struct Plain {
  double real = 0;
  bool negative = false;  // integers: sign and magnitude
  uint64_t size = 0;
};

Plain plain_signed(int64_t x) {
  return {static_cast<double>(x), x < 0,
          x < 0 ? ~static_cast<uint64_t>(x) + 1 : static_cast<uint64_t>(x)};
}

Plain plain_unsigned(uint64_t x) {
  return {static_cast<double>(x), false, x};
}

double half(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023;
  const double value = exponent == 31  ? (fraction == 0 ? HUGE_VAL : std::nan(""))
                       : exponent == 0 ? std::ldexp(fraction, -24)
                                       : std::ldexp(1024 + fraction, exponent - 25);
  return (bits >> 15) != 0 ? -value : value;
}

template <typename T>
T as(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

Plain plain(ScalarType type, const uint8_t* p) {
  switch (type) {
    case ScalarType::kByte:
      return plain_unsigned(*p);
    case ScalarType::kBool:
      return plain_unsigned(*p != 0);
    case ScalarType::kUInt16:
      return plain_unsigned(as<uint16_t>(p));
    case ScalarType::kUInt32:
      return plain_unsigned(as<uint32_t>(p));
    case ScalarType::kUInt64:
      return plain_unsigned(as<uint64_t>(p));
    case ScalarType::kChar:
      return plain_signed(as<int8_t>(p));
    case ScalarType::kShort:
      return plain_signed(as<int16_t>(p));
    case ScalarType::kInt:
      return plain_signed(as<int32_t>(p));
    case ScalarType::kLong:
      return plain_signed(as<int64_t>(p));
    case ScalarType::kHalf:
      return {half(as<uint16_t>(p)), false, 0};
    case ScalarType::kBFloat16: {
      const uint32_t bits = uint32_t{as<uint16_t>(p)} << 16;
      float value;
      std::memcpy(&value, &bits, sizeof(value));
      return {value, false, 0};
    }
    case ScalarType::kFloat:
      return {as<float>(p), false, 0};
    case ScalarType::kDouble:
      return {as<double>(p), false, 0};
  }
  return {};
}

bool is_real(ScalarType type) {
  return type == ScalarType::kHalf || type == ScalarType::kBFloat16 || type == ScalarType::kFloat ||
         type == ScalarType::kDouble;
}

bool plainly_close(ScalarType type, const Plain& e, const Plain& a, double rtol, double atol,
                   NanPolicy policy) {
  volatile double product = rtol * std::fabs(e.real);  // no fused multiply-add
  const double allowed = atol + product;
  if (is_real(type)) {
    if (std::isnan(e.real) || std::isnan(a.real)) {
      return (policy == NanPolicy::kIgnore && std::isnan(e.real)) ||
             (policy == NanPolicy::kEqual && std::isnan(e.real) && std::isnan(a.real));
    }
    const double error = std::fabs(a.real - e.real);
    return e.real == a.real || (std::isfinite(error) && error <= allowed);
  }
  uint64_t difference = e.size > a.size ? e.size - a.size : a.size - e.size;
  if (e.negative != a.negative) {
    difference = e.size + a.size;  // 2^63 + 2^63 - 1 at most
  }
  if (difference == 0) {
    return true;
  }
  return allowed >= 18446744073709551616.0 ||
         (allowed >= 1 && difference <= static_cast<uint64_t>(std::floor(allowed)));
}

bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

bool near(double a, double b, double scale) {
  return same(a, b) || std::fabs(a - b) <= 1e-9 * scale;
}

void check_variants(const Comparison& x, const Comparison& y) {
  require(x.verdict == y.verdict || x.reason >= Reason::kSqnr || y.reason >= Reason::kSqnr,
          "same verdict");
  require(x.numel == y.numel && x.mismatches == y.mismatches && x.nonfinite == y.nonfinite,
          "same counts");
  if (x.mismatches != 0) {
    require(x.first_mismatch == y.first_mismatch &&
                x.first_expected.kind == y.first_expected.kind &&
                same(x.first_expected.as_double, y.first_expected.as_double) &&
                x.first_expected.as_int == y.first_expected.as_int &&
                x.first_expected.as_uint == y.first_expected.as_uint &&
                same(x.first_actual.as_double, y.first_actual.as_double) &&
                x.first_actual.as_int == y.first_actual.as_int &&
                x.first_actual.as_uint == y.first_actual.as_uint,
            "same first mismatch");
  }
  require(same(x.rtol, y.rtol) && same(x.atol, y.atol), "same tolerance");
  require(same(x.max_abs_error, y.max_abs_error) && same(x.max_rel_error, y.max_rel_error),
          "same largest errors");
  require(near(x.mean_abs_error, y.mean_abs_error, x.mean_abs_error), "mean absolute error");
  require(near(x.mean_rel_error, y.mean_rel_error, x.mean_rel_error), "mean relative error");
  require(near(x.sqnr_db, y.sqnr_db, 10 + std::fabs(x.sqnr_db)), "SQNR");
  require(near(x.cosine, y.cosine, 1), "cosine");
  require(std::isnan(x.cosine) == (x.reason == Reason::kKind || x.reason == Reason::kDtype ||
                                   x.reason == Reason::kShape),
          "no statistics only without a look at the elements");
  require(!(std::fabs(x.cosine) > 1), "cosine within -1..1");
}

Tolerance get_tolerance(Input& input) {
  Tolerance tolerance;
  const uint8_t stated = input.byte();
  static const double kUsual[] = {0, 1e-6, 1e-3, 0.5, 1, 3, 1e300, HUGE_VAL};
  if ((stated & 1) != 0) {
    tolerance.rtol = (stated & 2) != 0 ? input.real() : kUsual[input.byte() % 8];
  }
  if ((stated & 4) != 0) {
    tolerance.atol = (stated & 8) != 0 ? input.real() : kUsual[input.byte() % 8];
  }
  if ((stated & 16) != 0) {
    tolerance.max_outlier_share = input.byte() / 255.0;
  }
  if ((stated & 32) != 0) {
    tolerance.min_sqnr_db = input.byte();
  }
  if ((stated & 64) != 0) {
    tolerance.min_cosine = input.byte() / 255.0;
  }
  const uint8_t policy = input.byte();
  tolerance.nan_policy = static_cast<NanPolicy>(policy % 3);
  tolerance.not_compared = policy > 250;
  return tolerance;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Input input(bytes, size);
  const Tolerance tolerance = get_tolerance(input);
  const uint8_t mode = input.byte();

  Tensor e;
  Tensor a;
  const ScalarType type = kTypes[input.byte() % 13];
  const size_t element = bpte::element_size(type);
  e.rank = input.byte() % 18;  // 17: one too many
  size_t room = (mode & 0x3C) == 0x3C ? kRarelyNumel : kMaxNumel;
  e.numel = 1;
  for (size_t d = 0; d < e.rank; ++d) {
    const uint8_t wish = input.byte();
    size_t extent = wish % 8;
    if (wish >= 224) {
      extent = wish == 255 ? 4200 : size_t{wish} * 8 - 1500;  // a long one
    }
    if (wish < 248 && extent == 0) {
      extent = 1;  // an empty tensor is rare
    }
    extent = extent > room ? room : extent;
    room /= extent == 0 ? 1 : extent;
    e.sizes[d] = static_cast<int32_t>(extent);
    e.numel *= extent;
  }
  e.value.tensor.scalar_type = a.value.tensor.scalar_type = type;
  e.shuffle_order(input);
  a.rank = e.rank;
  a.numel = e.numel;
  std::memcpy(a.sizes, e.sizes, sizeof(e.sizes));
  if ((mode & 1) != 0) {
    a.shuffle_order(input);
  } else {
    std::memcpy(a.dim_order, e.dim_order, sizeof(e.dim_order));
  }
  uint8_t patches[16];
  for (uint8_t& patch : patches) {
    patch = input.byte();
  }
  bool sound = e.rank <= bpte::kMaxRank;

  e.data = std::make_unique<uint8_t[]>(e.numel * element);
  a.data = std::make_unique<uint8_t[]>(a.numel * element);
  input.fill(e.data.get(), e.numel * element);
  if ((mode & 2) != 0) {
    input.fill(a.data.get(), a.numel * element);
  } else {
    for (size_t i = 0; i < e.numel; ++i) {
      std::memcpy(a.data.get() + a.offset(i) * element, e.data.get() + e.offset(i) * element,
                  element);
    }
  }
  for (size_t i = 0; i < 16 && a.numel != 0; i += 4) {
    const size_t at = (size_t{patches[i]} << 8 | patches[i + 1]) % (a.numel * element);
    a.data[at] = static_cast<uint8_t>(a.data[at] ^ (patches[i + 2] & patches[i + 3]));
  }
  e.refer(e.numel * element);
  a.refer(a.numel * element);

  // Sometimes something is wrong.
  Tensor& victim = (mode & 4) != 0 ? e : a;
  if ((mode & 0xC0) == 0xC0) {
    const uint8_t what = input.byte();
    const size_t d = victim.rank == 0 ? 0 : what % victim.rank;
    sound = false;
    switch (what >> 4) {
      case 0:
        victim.sizes[d] = -victim.sizes[d] - 1;
        break;
      case 1:
        victim.sizes[d] = INT32_MAX - what;
        break;
      case 2:
        victim.dim_order[d] = input.byte();
        break;
      case 3:
        victim.value.tensor.data = {victim.data.get(), victim.numel * element * (what & 15) / 16};
        break;
      case 4:
        victim.value.tensor.dim_order = {victim.dim_order, victim.rank / 2};
        break;
      case 5:
        victim.value.tensor.scalar_type = static_cast<ScalarType>(input.byte());
        break;
      case 6:
        victim.value.tensor.sizes = {victim.sizes, victim.rank / 2};
        break;
      case 7:
        victim.sizes[d] += 1;
        break;
      default:
        for (Value* value : {&e.value, &a.value}) {
          value->kind = static_cast<ValueKind>(input.byte() % 5);
          value->int_value = as<int64_t>(patches);
          value->double_value = input.real();
          value->bool_value = (input.byte() & 1) != 0;
        }
        break;
    }
  }

  const Comparison result = bpte::compare(e.value, a.value, tolerance);
  Comparison small;
  compare_small(&e.value, &a.value, &tolerance, &small);
  check_variants(result, small);
  if (!sound) {
    return 0;
  }

  require(result.reason != Reason::kKind && result.reason != Reason::kDtype &&
              result.reason != Reason::kShape,
          "a sound pair is compared");
  require(result.numel == e.numel, "numel");
  uint64_t mismatches = 0;
  uint64_t first = 0;
  uint64_t nonfinite = 0;
  for (size_t i = 0; i < e.numel; ++i) {
    const Plain x = plain(type, e.data.get() + e.offset(i) * element);
    const Plain y = plain(type, a.data.get() + a.offset(i) * element);
    nonfinite += std::isfinite(x.real) && std::isfinite(y.real) ? 0 : 1;
    if (!plainly_close(type, x, y, result.rtol, result.atol, tolerance.nan_policy)) {
      first = mismatches == 0 ? i : first;
      ++mismatches;
    }
  }
  require(result.mismatches == mismatches, "mismatches");
  require(result.nonfinite == nonfinite, "nonfinite");
  require(mismatches == 0 || result.first_mismatch == first, "first mismatch");
  return 0;
}
