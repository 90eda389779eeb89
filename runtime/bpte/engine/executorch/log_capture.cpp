// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/log_capture.h>
#include <executorch/runtime/platform/platform.h>

#include <atomic>

namespace bpte {

namespace {

namespace et = ::executorch::runtime;

std::atomic<Message*> capturing{nullptr};  // the receiver, while one captures
std::atomic<bool> wanted{false};           // until the first error has come
std::atomic<AbortHandler> abort_handler{nullptr};
Message last_error;  // for the abort handler: ET_CHECK logs before it aborts
et::PalImpl before = {};

void emit_log_message(et_timestamp_t timestamp, et_pal_log_level_t level, const char* filename,
                      const char* function, size_t line, const char* message, size_t length) {
  if (level == kFatal) {
    last_error.clear();
    last_error << Span<const char>(message, length);
  }
  Message* const target = capturing.load();
  if (target != nullptr) {
    if ((level == kError || level == kFatal) && wanted.exchange(false)) {
      *target << Span<const char>(message, length);
    }
  } else if (before.emit_log_message != nullptr) {
    before.emit_log_message(timestamp, level, filename, function, line, message, length);
  }
}

void abort_run() {
  const AbortHandler handler = abort_handler.load();
  if (handler != nullptr) handler(last_error.c_str());
  if (before.abort != nullptr) before.abort();
  for (;;) {
  }
}

void install() {
  static bool installed = false;
  if (installed) return;
  installed = true;
  const et::PalImpl* const current = et::get_pal_impl();
  if (current != nullptr) before = *current;
  et::register_pal(et::PalImpl::create(nullptr, abort_run, nullptr, nullptr, emit_log_message,
                                       nullptr, nullptr, __FILE__));
}

}  // namespace

LogCapture::LogCapture(Message& first_error) : outer_(capturing.load()) {
  install();
  first_error.clear();
  capturing.store(&first_error);
  wanted.store(true);
}

LogCapture::~LogCapture() {
  capturing.store(outer_);
  wanted.store(outer_ != nullptr && outer_->empty());
}

void set_executorch_abort_handler(AbortHandler handler) {
  install();
  abort_handler.store(handler);
}

}  // namespace bpte
