// SPDX-License-Identifier: BSD-3-Clause
#include "command_stream.h"

#include <cstring>

#include "bytes.h"

namespace bpte::ethosu {
namespace {

constexpr char kMagic[] = "COP1";
// A driver's actions, in the low byte of a word.
constexpr uint32_t kOptimizerConfig = 1;
constexpr uint32_t kCommandStream = 2;
constexpr uint32_t kNop = 5;

constexpr uint32_t kNumberMask = 0x3FF;
constexpr uint32_t kPayloadBits = 3u << 14;
// Both kinds of register have numbers of their own.
constexpr uint16_t kFirstNarrow = 0x100;

}  // namespace

const char* name_of(Op op) {
  switch (op) {
    case Op::STOP:
      return "NPU_OP_STOP";
    case Op::IRQ:
      return "NPU_OP_IRQ";
    case Op::CONV:
      return "NPU_OP_CONV";
    case Op::DEPTHWISE:
      return "NPU_OP_DEPTHWISE";
    case Op::POOL:
      return "NPU_OP_POOL";
    case Op::ELEMENTWISE:
      return "NPU_OP_ELEMENTWISE";
    case Op::RESIZE:
      return "NPU_OP_RESIZE";
    case Op::DMA_START:
      return "NPU_OP_DMA_START";
    case Op::DMA_WAIT:
      return "NPU_OP_DMA_WAIT";
    case Op::KERNEL_WAIT:
      return "NPU_OP_KERNEL_WAIT";
    case Op::PMU_MASK:
      return "NPU_OP_PMU_MASK";
  }
  return nullptr;
}

bool CommandStream::set_config(uint32_t config, uint32_t id, Report& report) {
  const uint32_t architecture = id >> 28;
  const uint32_t macs_log2 = config & 15;
  if (architecture != 1 && architecture != 2) {
    return report.fail(EngineError::kUnsupported)
           << "Ethos-U delegate: compiled for an unknown NPU, architecture " << architecture;
  }
  const bool u85 = architecture == 2;
  if (u85 && !kHasU85) {
    return report.fail(EngineError::kUnsupported)
           << "Ethos-U delegate: compiled for an Ethos-U85, which this build leaves out";
  }
  if (macs_log2 < (u85 ? 7 : 5) || macs_log2 > (u85 ? 11 : 9)) {
    return report.fail(EngineError::kInvalidProgram)
           << "Ethos-U delegate: compiled for 2^" << macs_log2 << " MACs";
  }
  config_.macs = 1u << macs_log2;
  if (kHasU85 && u85) {
    config_.generation = Generation::kU85;
    config_.cores = config_.macs >= 1024 ? 4 : config_.macs == 512 ? 2 : 1;
    config_.tables = 0;
    return true;
  }
  // The internal memory ends with the tables. Banks of 1,024 bytes, by the MACs of one core.
  static constexpr uint8_t kBanks[] = {16, 16, 24, 48, 48};
  config_.generation = Generation::kU55;
  config_.cores = config_.macs == 512 ? 2 : 1;
  config_.tables = 1024u * kBanks[macs_log2 - 5] - kTableBytes;
  return true;
}

bool CommandStream::open(Span<const uint8_t> bytes, Report& report) {
  *this = CommandStream();
  const auto invalid = [&]() -> Report& {
    return report.fail(EngineError::kInvalidProgram) << "Ethos-U delegate: ";
  };
  if (bytes.size() < 4 || std::memcmp(bytes.data(), kMagic, 4) != 0) {
    return invalid() << "its commands do not begin with " << kMagic;
  }
  bool configured = false;
  for (size_t at = 4; bytes.size() - at >= 4;) {
    const uint32_t action = load<uint32_t>(bytes.data() + at);
    const size_t left = bytes.size() - at - 4;
    at += 4;
    switch (action & 0xFF) {
      case kNop:
        break;
      case kOptimizerConfig:
        if (left < 8) return invalid() << "OPTIMIZER_CONFIG is cut short";
        if (!set_config(load<uint32_t>(bytes.data() + at), load<uint32_t>(bytes.data() + at + 4),
                        report)) {
          return false;
        }
        configured = true;
        at += 8;
        break;
      case kCommandStream: {
        const uint64_t words = action >> 16 | (action & 0xFF00) << 8;
        if (words * 4 > left)
          return invalid() << "COMMAND_STREAM states " << words << " words, " << uint64_t{left / 4}
                           << " are left";
        if (!configured) return invalid() << "no OPTIMIZER_CONFIG before COMMAND_STREAM";
        words_ = bytes.subspan(at, static_cast<size_t>(words * 4));
        return true;
      }
      default:
        return invalid() << "unknown driver action " << (action & 0xFF);
    }
  }
  return invalid() << "no COMMAND_STREAM";
}

bool CommandStream::next(Registers& registers, Op& op, uint16_t& parameter, Report& report) {
  const auto invalid = [&]() -> Report& {
    return report.fail(EngineError::kInvalidProgram) << "Ethos-U command " << number() << ": ";
  };
  while (words_.size() - at_ >= 4) {
    const uint32_t word = load<uint32_t>(words_.data() + at_);
    const uint16_t id = static_cast<uint16_t>(word & kNumberMask);
    parameter = static_cast<uint16_t>(word >> 16);
    at_ += 4;
    ++number_;
    if ((word & kPayloadBits) != 0) {
      if (words_.size() - at_ < 4) return invalid() << "its second word is missing";
      const uint64_t payload = load<uint32_t>(words_.data() + at_) | uint64_t{parameter} << 32;
      at_ += 4;
      if (!registers.set_wide(id, payload)) return invalid() << "no register of 48 bits is " << id;
    } else if (id >= kFirstNarrow) {
      if (!registers.set_narrow(id, parameter)) {
        return invalid() << "no register of 16 bits is " << id;
      }
    } else {
      op = static_cast<Op>(id);
      const bool known = name_of(op) != nullptr &&
                         (op != Op::RESIZE || registers.generation() == Generation::kU85);
      if (!known) return invalid() << "no operation is " << id;
      return op != Op::STOP;
    }
  }
  ++number_;
  return invalid() << "the stream ends without NPU_OP_STOP";
}

}  // namespace bpte::ethosu
