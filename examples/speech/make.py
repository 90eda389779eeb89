# SPDX-License-Identifier: BSD-3-Clause
"""Bundles Silero's voice activity detector with real speech, as sequences of chunks.

    apt-get install pocketsphinx-testdata; pip install -e '.[dev]'; pip install --no-deps silero-vad
    python examples/speech/make.py FOLDER

speech.pte, speech.bpte            float32; what is expected is computed by PyTorch
speech_int8.pte, speech_int8.bpte  the encoder's convolutions quantised after training (PT2E); what
                                   is expected is computed by PyTorch from the quantised network
speech_drift.bpte                  the quantised program against the float32 network: how far its
                                   probability drifts (drift.py shows it)

The model (PyPI's silero-vad, MIT) takes 32 ms of speech at 16 kHz behind 4 ms of what came before,
and its state, [2, 1, 128]. It gives the probability that somebody speaks, [1, 1], and the next
state. Each recording is a case whose steps are its chunks: the state that a step gives is carried
to the next.
"""

from __future__ import annotations

import importlib.util
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import export

import bpte

RECORDINGS = Path("/usr/share/pocketsphinx/test/data")
#: Cases: about three seconds each, speech between silence.
NAMES = ("goforward.raw", "something.raw")
#: What the quantised network is calibrated with: the beginning of what another speaker says.
CALIBRATION = "librivox/sense_and_sensibility_01_austen_64kb-0880.wav"
CALIBRATION_CHUNKS = 48
CONTEXT, CHUNK = 64, 512
STATE = 1
"""Input and output that hold the state."""


def samples(name: str) -> torch.Tensor:
    """From -1 to 1, 16,000 a second."""
    path = RECORDINGS / name
    if path.suffix == ".wav":
        with wave.open(str(path)) as file:
            shape = (file.getframerate(), file.getsampwidth(), file.getnchannels())
            if shape != (16000, 2, 1):
                raise SystemExit(f"{path}: not 16 bits, 16 kHz and one channel, but {shape}")
            data = file.readframes(file.getnframes())
    else:
        data = path.read_bytes()
    return torch.from_numpy(np.frombuffer(data, "<i2").astype(np.float32) / 32768)


def chunks(name: str) -> list[torch.Tensor]:
    """Shape [1, 576]: each whole chunk, behind the end of the one before."""
    whole = samples(name)
    padded = torch.cat([torch.zeros(CONTEXT), whole])
    starts = range(0, len(whole) - CHUNK + 1, CHUNK)
    return [padded[start : start + CONTEXT + CHUNK].unsqueeze(0) for start in starts]


def sequence(model: nn.Module, name: str) -> bpte.MethodTestCase:
    steps = []
    state = torch.zeros(2, 1, 128)
    for chunk in chunks(name):
        probability, following = model(chunk, state)
        steps.append(bpte.MethodTestCase((chunk, state), [probability, following]))
        state = following
    return bpte.MethodTestCase(name=Path(name).stem, steps=steps, carry={STATE: STATE})


def quantise(model: nn.Module) -> nn.Module:
    """The encoder's four convolutions in int8: what they read, and their weights, by channel.

    The rest stays float32: the magnitudes of the transform span too many decades for 8 bits, and an
    error in the state is carried on.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, Quantizer

    config = get_symmetric_quantization_config(is_per_channel=True)

    class EncoderQuantizer(Quantizer):
        def annotate(self, graph: Any) -> Any:
            for node in graph.graph.nodes:
                modules = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
                if node.target == torch.ops.aten.conv1d.default and "encoder" in modules[-1]:
                    given = {node.args[0]: config.input_activation, node.args[1]: config.weight}
                    node.meta["quantization_annotation"] = QuantizationAnnotation(
                        input_qspec_map=given, _annotated=True
                    )
            return graph

        def validate(self, graph: Any) -> None:
            pass

    state = torch.zeros(2, 1, 128)
    heard = chunks(CALIBRATION)[:CALIBRATION_CHUNKS]
    exported = export(model, (heard[0], state)).module(check_guards=False)
    prepared = prepare_pt2e(exported, EncoderQuantizer())
    for chunk in heard:
        _, state = prepared(chunk, state)
    return convert_pt2e(prepared)


def lower(model: nn.Module) -> Any:
    from executorch.exir import EdgeCompileConfig, to_edge

    inputs = (torch.zeros(1, CONTEXT + CHUNK), torch.zeros(2, 1, 128))
    unchecked = EdgeCompileConfig(_check_ir_validity=False)
    return to_edge(export(model, inputs), compile_config=unchecked).to_executorch()


def bundle(
    path: Path, program: Any, desk: nn.Module, probability: bpte.Tolerance, state: bpte.Tolerance
) -> None:
    """`desk` computes what is expected."""
    cases = [sequence(desk, name) for name in NAMES]
    suite = bpte.MethodTestSuite("forward", cases, [probability, state])
    bpte.BundledProgram(program, [suite], metadata={"model": "Silero VAD"}).save(path)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    import executorch.kernels.quantized  # noqa: F401  (registers the out variants)
    from executorch.examples.models.silero_vad.export_silero_vad import load_model

    torch.set_num_threads(1)  # the sums of several threads come in another order
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    package = importlib.util.find_spec("silero_vad")
    if package is None or package.origin is None or not RECORDINGS.is_dir():
        raise SystemExit("wants the packages silero-vad (PyPI) and pocketsphinx-testdata (Debian)")
    model = load_model(str(Path(package.origin).parent / "data" / "silero_vad.jit"))
    with torch.no_grad():
        plain, quantised = lower(model), lower(converted := quantise(model))
        plain.save(str(folder / "speech.pte"))
        quantised.save(str(folder / "speech_int8.pte"))
        # Sums come in another order on each target.
        within = bpte.Tolerance(rtol=0, atol=1e-4)
        bundle(folder / "speech.bpte", plain, model, within, within)
        bundle(folder / "speech_int8.bpte", quantised, converted, within, within)
        near = bpte.Tolerance(rtol=0, atol=0.25)
        reported = bpte.Tolerance(not_compared=True)
        bundle(folder / "speech_drift.bpte", quantised, model, near, reported)


if __name__ == "__main__":
    main()
