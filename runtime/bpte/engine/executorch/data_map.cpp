// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/data_map.h>

#include <cstring>

namespace bpte {

namespace et = ::executorch::runtime;

bool DataMap::find(std::string_view key, DataEntry& entry) const {
  return files_.find({key.data(), key.size()}, entry);
}

et::Result<const et::TensorLayout> DataMap::get_tensor_layout(std::string_view key) const {
  DataEntry entry;
  if (!find(key, entry) || !entry.has_layout) return et::Error::NotFound;
  const TensorView& tensor = entry.tensor;
  return et::TensorLayout::create({tensor.sizes.data(), tensor.sizes.size()},
                                  {tensor.dim_order.data(), tensor.dim_order.size()},
                                  static_cast<::executorch::aten::ScalarType>(tensor.scalar_type));
}

et::Result<et::FreeableBuffer> DataMap::get_data(std::string_view key) const {
  DataEntry entry;
  if (!find(key, entry)) return et::Error::NotFound;
  return et::FreeableBuffer(entry.tensor.data.data(), entry.tensor.data.size(),
                            /*free_fn=*/nullptr);
}

et::Error DataMap::load_data_into(std::string_view key, void* buffer, size_t size) const {
  DataEntry entry;
  if (!find(key, entry)) return et::Error::NotFound;
  if (size > entry.tensor.data.size()) return et::Error::InvalidArgument;
  if (size != 0) std::memcpy(buffer, entry.tensor.data.data(), size);
  return et::Error::Ok;
}

et::Result<uint32_t> DataMap::get_num_keys() const {
  return static_cast<uint32_t>(files_.key_count());
}

et::Result<const char*> DataMap::get_key(uint32_t index) const {
  DataEntry entry;
  if (!files_.entry(index, entry)) return et::Error::InvalidArgument;
  return entry.key.data;
}

}  // namespace bpte
