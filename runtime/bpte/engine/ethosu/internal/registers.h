// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

// The numbers of an Ethos-U's command stream, under the names that Arm gives them. A command is 32
// bits: its number in bits 0..9; bits 14..15 say whether a second word follows; bits 16..31 are a
// parameter.

namespace bpte::ethosu {

// Ethos-U85 takes a third of the model's flash: firmware for another NPU leaves it out. One build
// has one value for all its files.
#ifndef BPTE_ETHOSU_U85
#define BPTE_ETHOSU_U85 1
#endif
inline constexpr bool kHasU85 = BPTE_ETHOSU_U85 != 0;

/// The two architectures, which share most registers.
enum class Generation : uint8_t { kU55, kU85 };  // the first is the Ethos-U65's as well

/// What the NPU does. One word.
enum class Op : uint16_t {
  STOP = 0x000,
  IRQ = 0x001,
  CONV = 0x002,
  DEPTHWISE = 0x003,
  POOL = 0x005,
  ELEMENTWISE = 0x006,
  RESIZE = 0x007,  // Ethos-U85
  DMA_START = 0x010,
  DMA_WAIT = 0x011,
  KERNEL_WAIT = 0x012,
  PMU_MASK = 0x013,
};

/// Registers of 16 bits. One word. Some numbers have another meaning on an Ethos-U85: these names
/// stand behind the others.
enum class Narrow : uint16_t {
  IFM_PAD_TOP = 0x100,
  IFM_PAD_LEFT,
  IFM_PAD_RIGHT,
  IFM_PAD_BOTTOM,
  IFM_DEPTH_M1,
  IFM_PRECISION,
  IFM_UPSCALE = 0x107,
  IFM_BROADCAST = 0x108,
  IFM_ZERO_POINT = 0x109,
  IFM_WIDTH0_M1,
  IFM_HEIGHT0_M1,
  IFM_HEIGHT1_M1,
  IFM_IB_END,
  IFM_REGION = 0x10F,
  OFM_WIDTH_M1 = 0x111,
  OFM_HEIGHT_M1,
  OFM_DEPTH_M1,
  OFM_PRECISION,
  OFM_BLK_WIDTH_M1,
  OFM_BLK_HEIGHT_M1,
  OFM_BLK_DEPTH_M1,
  OFM_ZERO_POINT,
  OFM_WIDTH0_M1 = 0x11A,
  OFM_HEIGHT0_M1,
  OFM_HEIGHT1_M1,
  OFM_REGION = 0x11F,
  KERNEL_WIDTH_M1 = 0x120,
  KERNEL_HEIGHT_M1,
  KERNEL_STRIDE,
  PARALLEL_MODE,
  ACC_FORMAT,
  ACTIVATION,
  ACTIVATION_MIN,
  ACTIVATION_MAX,
  WEIGHT_REGION,
  SCALE_REGION,
  RESIZE_X_SCALE_N_M1 = 0x12A,
  RESIZE_Y_SCALE_N_M1,
  RESIZE_X_OFFSET,
  RESIZE_Y_OFFSET,
  AB_START = RESIZE_Y_OFFSET,
  WEIGHT_FORMAT = 0x12E,
  BLOCKDEP = 0x12F,
  DMA0_SRC_REGION = 0x130,
  DMA0_DST_REGION,
  DMA0_SIZE0,
  DMA0_SIZE1,
  DMA0_IDX_REGION,
  IFM2_BROADCAST = 0x180,
  IFM2_SCALAR,
  IFM2_PRECISION = 0x185,
  IFM2_ZERO_POINT = 0x189,
  IFM2_WIDTH0_M1,
  IFM2_HEIGHT0_M1,
  IFM2_HEIGHT1_M1,
  IFM2_IB_START,
  IFM2_REGION = 0x18F,
};

/// Registers of 48 bits: the second word, then the parameter above it.
enum class Wide : uint16_t {
  IFM_BASE0 = 0x00,
  IFM_BASE1,
  IFM_BASE2,
  IFM_BASE3,
  IFM_STRIDE_X,
  IFM_STRIDE_Y,
  IFM_STRIDE_C,
  OFM_BASE0 = 0x10,
  OFM_BASE1,
  OFM_BASE2,
  OFM_BASE3,
  OFM_STRIDE_X,
  OFM_STRIDE_Y,
  OFM_STRIDE_C,
  WEIGHT_BASE = 0x20,
  WEIGHT_LENGTH,
  SCALE_BASE,
  SCALE_LENGTH,
  OFM_SCALE,
  OPA_SCALE,
  OPB_SCALE,
  IFM_SCALE = OPA_SCALE,
  IFM2_SCALE = OPB_SCALE,
  OP_SCALAR = 0x27,
  DMA0_SRC = 0x30,
  DMA0_DST,
  DMA0_LEN,
  DMA0_SKIP0,
  DMA0_SKIP1,
  IFM2_BASE0 = 0x80,
  IFM2_BASE1,
  IFM2_BASE2,
  IFM2_BASE3,
  IFM2_STRIDE_X,
  IFM2_STRIDE_Y,
  IFM2_STRIDE_C,
  WEIGHT1_BASE = 0x90,
  WEIGHT1_LENGTH,
  SCALE1_BASE,
  SCALE1_LENGTH,
  WEIGHT2_BASE = SCALE1_BASE,
  WEIGHT2_LENGTH = SCALE1_LENGTH,
  WEIGHT3_BASE,
  WEIGHT3_LENGTH,
  RESIZE_X_STEP,
  RESIZE_Y_STEP,
};

/// What the commands before an operation have set: a stream states only what changes. Registers
/// that were never set are 0.
class Registers {
 public:
  /// All 0, and of that generation.
  void clear(Generation generation);
  Generation generation() const { return generation_; }
  /// False: there is no such register.
  [[nodiscard]] bool set_narrow(uint16_t number, uint16_t value);
  [[nodiscard]] bool set_wide(uint16_t number, uint64_t value);

  uint32_t get(Narrow name) const;
  /// A register that counts from 0: OFM_DEPTH_M1 and its like.
  int32_t plus_one(Narrow name) const { return static_cast<int32_t>(get(name)) + 1; }
  uint64_t get(Wide name) const;
  /// An address or a length in bytes: 40 bits.
  uint64_t address(Wide name) const { return get(name) & kAddressMask; }
  /// A stride in bytes: 40 bits with a sign.
  int64_t stride(Wide name) const {
    const uint64_t sign = uint64_t{1} << 39;
    return static_cast<int64_t>((address(name) ^ sign) - sign);
  }

 private:
  static constexpr uint64_t kAddressMask = (uint64_t{1} << 40) - 1;
  // The numbers in use come in rows of 16: a row of each kind stands where place() says.
  static constexpr size_t kRow = 16;
  static constexpr size_t kNarrowRows = 5;
  static constexpr size_t kWideRows = 6;

  Generation generation_ = Generation::kU55;
  uint16_t narrow_[kNarrowRows * kRow] = {};
  uint64_t wide_[kWideRows * kRow] = {};
};

}  // namespace bpte::ethosu
