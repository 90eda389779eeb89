// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/data_file.h>
#include <executorch/runtime/core/named_data_map.h>

namespace bpte {

/// Gives ExecuTorch what a program's data files hold, in place. The files were checked.
class DataMap final : public ::executorch::runtime::NamedDataMap {
 public:
  DataMap() = default;
  explicit DataMap(const DataFileSet& files) : files_(files) {}

  ::executorch::runtime::Result<const ::executorch::runtime::TensorLayout> get_tensor_layout(
      std::string_view key) const override;
  ::executorch::runtime::Result<::executorch::runtime::FreeableBuffer> get_data(
      std::string_view key) const override;
  ::executorch::runtime::Error load_data_into(std::string_view key, void* buffer,
                                              size_t size) const override;
  ::executorch::runtime::Result<uint32_t> get_num_keys() const override;
  ::executorch::runtime::Result<const char*> get_key(uint32_t index) const override;

  const DataFileSet& files() const { return files_; }

 private:
  bool find(std::string_view key, DataEntry& entry) const;

  DataFileSet files_;
};

}  // namespace bpte
