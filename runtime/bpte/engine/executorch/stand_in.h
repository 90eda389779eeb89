// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bpte {

/// Called by a backend of ExecuTorch that gives the numbers of hardware which it is not, each time
/// that it executes: ExecuTorch's interface has no other way to the engine. `words` are what
/// Engine::stand_in() will say, and have static storage.
void note_stand_in(const char* words);

/// What was noted since the last call; "" when nothing was.
const char* take_stand_in();

}  // namespace bpte
