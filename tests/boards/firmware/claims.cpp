// SPDX-License-Identifier: BSD-3-Clause
//
// A firmware that runs nothing and reports success: a whole protocol of one case that passed, with
// the right nonce and checksum, about a bundle of one byte.

#include <bpte/runner/record_writer.h>

#include "arguments.h"
#include "console.h"
#include "semihosting.h"

namespace {

char command_line[512];

void write_case(bpte::RecordWriter& writer) {
  using namespace bpte;
  writer.begin_record(event::kCase);
  writer.field(key::kSuite, 0);
  writer.field(key::kMethod, "forward");
  writer.field(key::kCase, 0);
  writer.key(key::kOutputs);
  writer.begin_array();
  writer.begin_object();
  writer.field(key::kVerdict, "pass");
  writer.field(key::kKind, "tensor");
  writer.end_object();
  writer.end_array();
  writer.field(key::kVerdict, "pass");
  writer.end_record();
}

}  // namespace

int main() {
  using namespace bpte;
  bpte_board::Arguments arguments;
  if (bpte_board::semihosting_command_line(command_line)) {
    (void)bpte_board::parse_arguments(command_line, arguments);
  }
  RecordWriter writer(bpte_board::console());
  writer.begin_record(event::kBegin);
  writer.field(key::kProtocol, kProtocolVersion);
  writer.field(key::kNonce, arguments.run.nonce);
  writer.field(key::kTarget, BPTE_BOARD_NAME);
  writer.field(key::kFormat, "BP09");
  writer.field(key::kFileSize, 1);
  writer.field(key::kVerified, true);
  writer.field(key::kCases, 1);
  writer.end_record();
  write_case(writer);
  writer.begin_record(event::kEnd);
  writer.field(key::kPassed, 1);
  writer.field(key::kFailed, 0);
  writer.field(key::kErrors, 0);
  writer.field(key::kUnjudged, 0);
  writer.field(key::kOutcome, 0);
  writer.end_last_record();
  return 0;
}
