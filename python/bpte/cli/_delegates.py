# SPDX-License-Identifier: BSD-3-Clause
"""What ``bpte inspect --delegates`` says of a program's delegates, in words."""

from __future__ import annotations

from typing import Any

from bpte.cli import _output
from bpte.text import printable

_HEAD = ("command", "operation", "block", "IFM", "IFM2", "OFM", "MACs", "weights", "compressed",
         "read", "written")  # fmt: skip


def of_file(path: str, is_program: bool) -> list[dict[str, Any]]:
    """What is known of the delegates of a `.pte`, or of a bundle's program. Raises ProgramError."""
    import os

    from bpte.bundle import Bundle
    from bpte.files import access, transfer
    from bpte.program import delegates

    if is_program:
        fd = access.open_input(path)
        try:
            size = os.fstat(fd).st_size
            return delegates.describe(lambda at, count: transfer.read_run(fd, at, count), size)
        finally:
            os.close(fd)
    with Bundle(path) as bundle, bundle.program as program:
        return delegates.describe(lambda at, count: bytes(program[at : at + count]), len(program))


def operations(delegates: list[dict[str, Any]]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The operations of each Ethos-U delegate that can be read, by its method and index."""
    return {
        (each["method"], each["index"]): each["ethosu"]["operations"]
        for each in delegates
        if "ethosu" in each
    }


def operation_text(operation: dict[str, Any]) -> str:
    """Such as "NPU_OP_POOL AVERAGE, int8[3, 8, 8] NHWC at scratch 0x0 to int8[3, 8, 8] NHWC at
    scratch 0xc0, block 3x8x8"."""
    name = f"{operation['name']} {operation['mode']}".rstrip()
    if operation["ofm"] is None:
        return f"{name}, {sum(operation['read'].values())} bytes"
    inputs = " and ".join(_placed(operation[key]) for key in ("ifm", "ifm2") if operation[key])
    macs = f", {operation['macs']} multiply-adds" if operation["macs"] else ""
    block = _block(operation)
    return f"{name}, {inputs or 'constants'} to {_placed(operation['ofm'])}, block {block}{macs}"


def text(delegates: list[dict[str, Any]]) -> str:
    """Of the facts that `bpte.program.delegates.describe` gives. Ends without a newline."""
    if not delegates:
        return "no delegates"
    return "\n\n".join("\n".join(_lines(delegate)) for delegate in delegates)


def _lines(delegate: dict[str, Any]) -> list[str]:
    lines = [
        f"method {_output.bold(delegate['method'])}, delegate {delegate['index']}: "
        f"{printable(delegate['id'])}, {_output.size(delegate['size'])}"
    ]
    if "error" in delegate:
        return [*lines, f"  cannot be read: {printable(delegate['error'])}"]
    facts = delegate.get("ethosu")
    if facts is None:
        return [*lines, "  the content is its backend's own"]
    return [
        *lines,
        f"  for {facts['npu']} with {facts['macs_per_cycle']} MACs; {facts['macs']:,} "
        f"multiply-adds in {len(facts['operations'])} operations",
        f"  weights   {facts['weights']:,} bytes decoded, {facts['compressed_weights']:,} "
        f"compressed; weights, scales and tables together {facts['weight_data_bytes']:,}",
        f"  scratch   {facts['scratch_bytes']:,} bytes",
        f"  inputs    {_bindings(facts['inputs'])}",
        f"  outputs   {_bindings(facts['outputs'])}",
        f"  traffic   {_traffic(facts)}",
        "",
        _output.table(_HEAD, [_row(each) for each in facts["operations"]], "rlrlllrrrrr"),
    ]


def _bindings(bindings: list[dict[str, Any]]) -> str:
    return (
        ", ".join(
            f"{list(each['shape'])} of {each['element_bytes']} bytes at {each['offset']}"
            for each in bindings
        )
        or "none"
    )


def _traffic(facts: dict[str, Any]) -> str:
    """Such as "weights 300 bytes read; scratch 1,200 read, 800 written"."""
    parts = []
    for region, read in facts["read"].items():
        written = facts["written"][region]
        if read or written:
            parts.append(f"{region} {read:,} bytes read, {written:,} written")
    return "; ".join(parts) or "none"


def _row(operation: dict[str, Any]) -> tuple[object, ...]:
    name = operation["name"].removeprefix("NPU_OP_")
    if name == "DMA_START":  # has neither block nor feature maps
        block, maps = "-", ("-", "-", "-")
    else:
        block = _block(operation)
        maps = (_map(operation["ifm"]), _map(operation["ifm2"]), _map(operation["ofm"]))
    return (
        operation["command"],
        f"{name} {operation['mode']}".rstrip(),
        block,
        *maps,
        operation["macs"] or "-",
        operation["weights"] or "-",
        operation["compressed_weights"] or "-",
        sum(operation["read"].values()),
        sum(operation["written"].values()),
    )


def _map(found: dict[str, Any] | None) -> str:
    """Such as "int8[8, 8, 16] NHCWB16"."""
    if found is None:
        return "-"
    place = "" if found["place"] == "memory" else f" {found['place']}"
    return f"{found['dtype']}{found['shape']} {found['format']}{place}"


def _placed(found: dict[str, Any]) -> str:
    """The same with where it lies: "int8[8, 8, 16] NHCWB16 at scratch 0x240"."""
    from bpte.program.ethosu import REGIONS

    if found["place"] != "memory":
        return _map(found)
    region = found["region"]
    name = REGIONS[region] if region < len(REGIONS) else f"region {region}"
    return f"{_map(found)} at {name} {found['address']:#x}"


def _block(operation: dict[str, Any]) -> str:
    """The OFM's block: height, width, depth."""
    return "x".join(map(str, operation["block"]))
