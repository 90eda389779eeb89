// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bpte {

/// Gives ExecuTorch a backend of the name EthosUBackend: the functional model of the Ethos-U
/// (docs/ethos-u.md), for machines without the NPU. Leaves a backend of that name alone which is
/// registered already. False: ExecuTorch has no room for another backend.
///
/// A method's delegates take a little memory of its method allocator. Each execution takes what the
/// NPU's buffers would be, and the model's own, of the temporary allocator, and says of itself that
/// it stood in (Engine::stand_in()). All errors are logged by name; none aborts.
[[nodiscard]] bool register_ethosu_backend();

}  // namespace bpte
