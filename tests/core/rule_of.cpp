// SPDX-License-Identifier: BSD-3-Clause

// Opens each file named in the arguments in every way there is and prints what each says:
//
//   <way> <file> <rule> <suite> <case> <step> <input> <output> <segment> <message>
//
// separated by tabs; an index that does not apply is "-". Ways: span, span+crc, source, source+crc,
// source?size (a source that cannot tell its size). After a successful opening everything that the
// bundle gives is read. The span ends at an unmapped page, so that a read past the file is a crash.

#include <bpte/core/bundle.h>

#include <cstdio>
#include <vector>

#include "guarded.h"
#include "memory_source.h"
#include "read_all.h"

namespace {

void print(const char* way, const char* file, const bpte::Fault& fault) {
  char message[512];
  bpte::format_fault(fault, message);
  std::printf("%s\t%s\t%s", way, file, bpte::to_string(fault.error));
  for (const uint32_t index :
       {fault.suite, fault.test_case, fault.step, fault.input, fault.output, fault.segment}) {
    if (index == bpte::kNoIndex) {
      std::printf("\t-");
    } else {
      std::printf("\t%u", static_cast<unsigned>(index));
    }
  }
  std::printf("\t%s\n", message);
}

bool read_file(const char* name, std::vector<uint8_t>* bytes) {
  std::FILE* file = std::fopen(name, "rb");
  if (file == nullptr) {
    return false;
  }
  uint8_t part[65536];
  size_t size = 0;
  while ((size = std::fread(part, 1, sizeof part, file)) != 0) {
    bytes->insert(bytes->end(), part, part + size);
  }
  const bool ok = std::ferror(file) == 0;
  std::fclose(file);
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::vector<uint8_t> bytes;
    if (!read_file(argv[i], &bytes)) {
      std::fprintf(stderr, "%s: cannot be read\n", argv[i]);
      return 2;
    }
    const auto header = bpte::Header::parse({bytes.data(), bytes.size()});
    const size_t alignment = header.ok() ? header->base_alignment : 128;
    for (const bool verify : {false, true}) {
      bpte::OpenOptions options;
      options.verify_checksums = verify;
      {
        const bpte_test::Guarded guarded(bytes.data(), bytes.size(), alignment);
        const auto bundle = bpte::Bundle::open(guarded.bytes(), options);
        print(verify ? "span+crc" : "span", argv[i], bundle.fault());
        if (bundle.ok()) {
          bpte_test::read_all(bundle.get(), {});
        }
      }
      for (const bool tell_size : {true, false}) {
        bpte_test::MemorySource source({bytes.data(), bytes.size()}, tell_size);
        const bpte_test::Guarded metadata(bytes.size() + bpte::kHeaderProbeSize);
        const bpte_test::Guarded payload(bytes.size());
        const auto bundle = bpte::Bundle::open(source, metadata.writable(), options);
        if (tell_size) {
          print(verify ? "source+crc" : "source", argv[i], bundle.fault());
        } else if (!verify) {
          print("source?size", argv[i], bundle.fault());
        }
        if (bundle.ok()) {
          bpte_test::read_all(bundle.get(), payload.writable());
        }
      }
    }
  }
  return 0;
}
