// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace bpte {

/// A feature map of an operation of an Ethos-U.
struct EthosUFeatureMap {
  enum class Place : uint8_t { kMemory, kChain, kNowhere };

  int32_t height = 0;
  int32_t width = 0;
  int32_t depth = 0;
  uint8_t element_bytes = 0;  ///< 0: the operation has no such feature map
  bool is_signed = false;
  bool bricks = false;  ///< NHCWB16, else NHWC
  Place place = Place::kNowhere;
  uint8_t region = 0;  ///< of the memory, or the number of the chain buffer
  int32_t zero_point = 0;

  uint64_t bytes() const {
    return uint64_t{element_bytes} * static_cast<uint64_t>(height) * static_cast<uint64_t>(width) *
           static_cast<uint64_t>(depth);
  }
};

/// One operation of a command stream: what inspect shows of it, and where a trace stands.
struct EthosUOperation {
  static constexpr uint32_t kRegions = 3;  ///< weights (read only), scratch, fast scratch

  uint32_t command = 0;   ///< its number, from 0 on
  const char* name = "";  ///< "NPU_OP_CONV"
  uint16_t mode = 0;      ///< of pooling, elementwise and resize, as the command has it
  EthosUFeatureMap ifm;
  EthosUFeatureMap ifm2;
  EthosUFeatureMap ofm;
  int32_t block_height = 0;  ///< OFM_BLK: what the NPU computes at a time
  int32_t block_width = 0;
  int32_t block_depth = 0;
  uint64_t macs = 0;                ///< multiply-adds of convolutions
  uint64_t weights = 0;             ///< in the network, without padding
  uint64_t compressed_weights = 0;  ///< bytes of their streams
  uint64_t read[kRegions] = {};     ///< bytes, each feature map, weight and scale once
  uint64_t written[kRegions] = {};
};

}  // namespace bpte
