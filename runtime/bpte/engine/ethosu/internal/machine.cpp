// SPDX-License-Identifier: BSD-3-Clause
#include "machine.h"

#include "bytes.h"

namespace bpte::ethosu {
namespace {

enum Region : uint32_t { kWeights = 0, kScratch = 1, kFast = 2 };

// More fast scratch memory than any system has: a stream that asks for it is malformed.
constexpr int64_t kMostFast = int64_t{1} << 31;
// The same of a feature map that is handed over, and of its accumulators.
constexpr uint64_t kMostChained = uint64_t{1} << 30;

}  // namespace

void Machine::begin_check(const Config& config, size_t weights_size, uint64_t scratch_size,
                          uint64_t work_limit, Report& report) {
  registers_.clear(config.generation);
  memories_ = Memories();
  needs_ = Needs();
  work_ = 0;
  checking_ = true;
  config_ = config;
  weights_size_ = weights_size;
  scratch_size_ = scratch_size;
  work_limit_ = work_limit;
  report_ = &report;
}

void Machine::begin_run(const Memories& memories, Report& report) {
  report_ = &report;
  registers_.clear(config_.generation);
  memories_ = memories;
  work_ = 0;
  checking_ = false;
}

void Machine::begin_command(uint32_t number, Op op, uint16_t parameter) {
  operation_ = EthosUOperation();
  operation_.command = number;
  operation_.name = name_of(op);
  operation_.mode = parameter;
  operation_.block_height = registers_.plus_one(Narrow::OFM_BLK_HEIGHT_M1);
  operation_.block_width = registers_.plus_one(Narrow::OFM_BLK_WIDTH_M1);
  operation_.block_depth = registers_.plus_one(Narrow::OFM_BLK_DEPTH_M1);
}

void Machine::count_read(uint32_t region, uint64_t bytes) {
  if (region < EthosUOperation::kRegions) operation_.read[region] += bytes;
}

void Machine::count_written(uint32_t region, uint64_t bytes) {
  if (region < EthosUOperation::kRegions) operation_.written[region] += bytes;
}

Report& Machine::refuse(EngineError error) {
  return report_->fail(error) << "Ethos-U command " << operation_.command << ", " << operation_.name
                              << ": ";
}

bool Machine::reach(const char* what, uint32_t region, const Extent& extent) {
  if (region > kFast) return unsupported() << what << " in region " << region;
  const int64_t size = region == kWeights   ? static_cast<int64_t>(weights_size_)
                       : region == kScratch ? static_cast<int64_t>(scratch_size_)
                                            : kMostFast;
  if (extent.first < 0 || extent.end > size || extent.first > extent.end) {
    return invalid() << what << " (bytes " << extent.first << " to " << extent.end
                     << ") is not within region " << region << ", " << size << " bytes";
  }
  if (region == kFast && static_cast<uint64_t>(extent.end) > needs_.fast) {
    needs_.fast = static_cast<uint64_t>(extent.end);
  }
  return true;
}

bool Machine::readable(const char* what, uint32_t region, const Extent& extent,
                       const uint8_t*& base) {
  if (!reach(what, region, extent)) return false;
  base = region == kWeights   ? memories_.weights.data()
         : region == kScratch ? memories_.scratch.data()
                              : memories_.fast.data();
  return true;
}

bool Machine::writable(const char* what, uint32_t region, const Extent& extent, uint8_t*& base) {
  if (region == kWeights) return invalid() << what << " in region 0, which is read-only";
  if (!reach(what, region, extent)) return false;
  base = region == kScratch ? memories_.scratch.data() : memories_.fast.data();
  return true;
}

bool Machine::chain(const char* what, uint32_t number, uint64_t bytes, uint8_t*& base) {
  if (number >= kChains) {
    return invalid() << what << " in chain buffer " << number << " of " << kChains;
  }
  if (bytes > kMostChained) {
    return unsupported() << what << " of " << bytes << " bytes in a chain buffer is too large";
  }
  if (bytes > needs_.chains[number]) needs_.chains[number] = bytes;
  base = memories_.chains[number].data();
  return true;
}

bool Machine::count(uint64_t a, uint64_t b, uint64_t c) {
  const auto times = [](uint64_t x, uint64_t y) {
    return x != 0 && y > UINT64_MAX / x ? UINT64_MAX : x * y;
  };
  const uint64_t amount = times(times(a, b), c);
  if (work_limit_ != 0 && amount > work_limit_ - work_) {
    return unsupported() << "more work than the limit of " << work_limit_ << " operations";
  }
  work_ += amount;
  return true;
}

void Machine::need_work(uint64_t numbers) {
  const uint64_t bytes = numbers * sizeof(int16_t);
  if (bytes > needs_.work) needs_.work = bytes;
}

void Machine::need_accumulators(uint64_t count) {
  const uint64_t bytes = count * sizeof(int64_t);
  if (bytes > needs_.accumulators) needs_.accumulators = bytes;
}

}  // namespace bpte::ethosu
