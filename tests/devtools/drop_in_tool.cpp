// SPDX-License-Identifier: BSD-3-Clause
//
// What a program written for ExecuTorch's interface to bundled programs does
// (tests/devtools/test_drop_in.py). Prints one line for each answer.
//
//     drop_in_tool run FILE METHOD CASE [RTOL ATOL]...   load, execute, statistics; verify with
//                                                        each pair of tolerances
//     drop_in_tool find FILE [SHIFT]                     the ways to a program; SHIFT: bytes that
//                                                        the content lies past a multiple of 16
//     drop_in_tool mutate FILE                           every byte changed, one at a time; needs
//                                                        a whole bundle of one case
//
// Each file's content lies in memory of exactly its size, so that a sanitizer sees every byte that
// is read beyond.

#include <executorch/devtools/bundled_program/bundled_program.h>
#include <executorch/devtools/bundled_program/schema/bundled_program_schema_generated.h>
#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/platform/runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace {

namespace bundled = executorch::bundled_program;
using executorch::extension::BufferDataLoader;
using executorch::extension::MallocMemoryAllocator;
using executorch::runtime::Error;
using executorch::runtime::HierarchicalAllocator;
using executorch::runtime::MemoryManager;
using executorch::runtime::Method;
using executorch::runtime::Program;
using executorch::runtime::Result;
using executorch::runtime::Span;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

class Content {
 public:
  Content(const char* path, size_t shift) {
    std::FILE* const file = std::fopen(path, "rb");
    if (file == nullptr) std::exit(2);
    std::fseek(file, 0, SEEK_END);
    size_ = static_cast<size_t>(std::ftell(file));
    std::rewind(file);
    memory_.reset(std::malloc(size_ + shift));
    data_ = static_cast<uint8_t*>(memory_.get()) + shift;
    if (std::fread(data_, 1, size_, file) != size_) std::exit(2);
    std::fclose(file);
  }
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::unique_ptr<void, Free> memory_;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// A program's method with its memory.
class Loaded {
 public:
  Loaded(const void* program, size_t size, const char* method) : loader_(program, size) {
    Result<Program> loaded = Program::load(&loader_);
    if (!loaded.ok()) std::exit(3);
    program_ = std::make_unique<Program>(std::move(loaded.get()));
    const auto meta = program_->method_meta(method);
    if (!meta.ok()) std::exit(3);
    for (size_t i = 0; i < meta->num_memory_planned_buffers(); ++i) {
      const auto bytes = static_cast<size_t>(meta->memory_planned_buffer_size(i).get());
      buffers_.push_back(std::vector<uint8_t>(bytes));
      spans_.emplace_back(buffers_.back().data(), bytes);
    }
    planned_ =
        std::make_unique<HierarchicalAllocator>(Span<Span<uint8_t>>{spans_.data(), spans_.size()});
    manager_ = std::make_unique<MemoryManager>(&allocator_, planned_.get(), &temporary_);
    Result<Method> result = program_->load_method(method, manager_.get());
    if (!result.ok()) std::exit(3);
    method_ = std::make_unique<Method>(std::move(result.get()));
  }
  Method& method() { return *method_; }

 private:
  BufferDataLoader loader_;
  std::unique_ptr<Program> program_;
  std::vector<std::vector<uint8_t>> buffers_;
  std::vector<Span<uint8_t>> spans_;
  std::unique_ptr<HierarchicalAllocator> planned_;
  MallocMemoryAllocator allocator_;
  MallocMemoryAllocator temporary_;
  std::unique_ptr<MemoryManager> manager_;
  std::unique_ptr<Method> method_;
};

void print(const char* what, Error error) {
  std::printf("%s %s\n", what, executorch::runtime::to_string(error));
}

int run(const Content& content, const char* name, size_t index, Span<char*> tolerances) {
  const void* program = nullptr;
  size_t size = 0;
  const Error found = bundled::get_program_data(content.data(), content.size(), &program, &size);
  print("program", found);
  if (found != Error::Ok) return 0;
  Loaded loaded(program, size, name);
  Method& method = loaded.method();
  const Error set = bundled::load_bundled_input(method, content.data(), index);
  print("load", set);
  if (set == Error::Ok) print("execute", method.execute());
  const bundled::ErrorStats stats =
      bundled::compute_method_output_error_stats(method, content.data(), index);
  print("statistics", stats.status);
  std::printf("errors %.17g %.17g %.17g %.17g\n", stats.mean_abs_error, stats.max_abs_error,
              stats.mean_relative_error, stats.max_relative_error);
  for (size_t i = 0; i + 1 < tolerances.size(); i += 2) {
    const double rtol = std::strtod(tolerances[i], nullptr);
    const double atol = std::strtod(tolerances[i + 1], nullptr);
    print("verify", bundled::verify_method_outputs(method, content.data(), index, rtol, atol));
  }
  return 0;
}

int find(const Content& content) {
  std::printf("bundle %d\n", bundled::is_bundled_program(content.data(), content.size()));
  const void* program = nullptr;
  size_t size = 0;
  print("program", bundled::get_program_data(content.data(), content.size(), &program, &size));
  const auto* const bytes = static_cast<const uint8_t*>(program);
  std::printf("at %td size %zu\n", bytes == nullptr ? -1 : bytes - content.data(), size);
  const auto* const stated = bundled_program_flatbuffer::GetBundledProgram(content.data());
  const uint8_t* const data = stated->program()->data();
  std::printf("stated at %td size %zu\n", data == nullptr ? -1 : data - content.data(),
              stated->program()->size());
  return 0;
}

int mutate(const Content& content) {
  const void* program = nullptr;
  size_t size = 0;
  if (bundled::get_program_data(content.data(), content.size(), &program, &size) != Error::Ok) {
    return 3;
  }
  const std::vector<uint8_t> copy(static_cast<const uint8_t*>(program),
                                  static_cast<const uint8_t*>(program) + size);
  const size_t first = static_cast<size_t>(static_cast<const uint8_t*>(program) - content.data());
  Loaded loaded(copy.data(), copy.size(), "forward");
  Method& method = loaded.method();
  size_t refused = 0;
  size_t wrong = 0;
  size_t passed = 0;
  for (size_t i = 0; i < content.size(); ++i) {
    if (i >= first && i < first + size) continue;  // the program is another reader's
    for (const uint8_t change : {0x01, 0x80, 0xFF}) {
      content.data()[i] ^= change;
      const void* where = nullptr;
      size_t length = 0;
      bool read =
          bundled::get_program_data(content.data(), content.size(), &where, &length) == Error::Ok &&
          bundled::load_bundled_input(method, content.data(), 0) == Error::Ok &&
          method.execute() == Error::Ok;
      const Error verdict = read ? bundled::verify_method_outputs(method, content.data(), 0)
                                 : Error::InvalidExternalData;
      (void)bundled::compute_method_output_error_stats(method, content.data(), 0);
      ++(verdict == Error::Ok ? passed : verdict == Error::NotFound ? wrong : refused);
      content.data()[i] ^= change;
    }
  }
  std::printf("refused %zu wrong %zu passed %zu\n", refused, wrong, passed);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  executorch::runtime::runtime_init();
  const bool is_find = argc >= 3 && std::strcmp(argv[1], "find") == 0;
  if (argc < 3) return 2;
  const size_t shift = is_find && argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 0;
  const Content content(argv[2], shift);
  if (is_find) return find(content);
  if (std::strcmp(argv[1], "mutate") == 0) return mutate(content);
  if (argc < 5) return 2;
  return run(content, argv[3], std::strtoul(argv[4], nullptr, 10),
             {argv + 5, static_cast<size_t>(argc - 5)});
}
