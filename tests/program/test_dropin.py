# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch's own functions on this serializer: applied, undone, refused."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bpte.program import UnsupportedExecuTorchError, _codec, _dropin, patch_executorch
from bpte.program._codec import Binding

HERE = Path(__file__).parent
MLP = HERE.parent / "fixtures" / "program" / "mlp.pte"


def exported(torch: Any) -> Any:
    from executorch.exir import to_edge

    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return self.linear(x).relu()

    torch.manual_seed(0)
    return to_edge(torch.export.export(Model(), (torch.randn(1, 4),)))


def module(name: str) -> Any:
    return importlib.import_module(f"executorch.exir._serialize.{name}")


def references() -> dict[tuple[str, str], Any]:
    """Whoever holds one of the functions, by module and name."""
    names = {function for _, function in _dropin.FUNCTIONS}
    return {
        (name, attribute): value
        for name, loaded in sys.modules.items()
        if name.startswith("executorch")
        for attribute, value in list(vars(loaded).items())
        if getattr(value, "__name__", "") in names
    }


def test_to_executorch_uses_it(executorch: Binding, tmp_path: Path) -> None:
    torch = importlib.import_module("torch")
    plain = exported(torch).to_executorch().buffer
    before = references()
    assert len(before) >= 6
    with patch_executorch():
        manager = exported(torch).to_executorch()
        patched = manager.buffer
        manager.save(str(tmp_path / "model.pte"))
        assert all(value is not before[key] for key, value in references().items())
    assert len(patched) < len(plain)
    assert (tmp_path / "model.pte").read_bytes() == patched
    assert references() == before
    assert exported(torch).to_executorch().buffer == plain
    read = module("_program").deserialize_pte_binary
    assert read(patched) == read(plain)

    runtime = importlib.import_module("executorch.runtime").Runtime.get()
    x = torch.randn(1, 4)
    results = [
        runtime.load_program(data).load_method("forward").execute([x])[0]
        for data in (plain, patched)
    ]
    assert torch.equal(*results)


def test_nesting_and_late_imports(executorch: Binding) -> None:
    before = references()
    outer = patch_executorch()
    with patch_executorch():
        pass
    assert references() != before, "the inner patch must not undo the outer"
    kept = module("_program").deserialize_pte_binary  # as a module imported now would keep it
    outer.undo()
    outer.undo()
    assert references() == before
    data = MLP.read_bytes()
    assert kept(data) == module("_program").deserialize_pte_binary(data)


def test_undone_after_an_error(executorch: Binding) -> None:
    before = references()
    with pytest.raises(KeyError), patch_executorch():
        raise KeyError
    assert references() == before


def test_untested_version_is_refused(executorch: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    before = references()
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "9.9.0" if name == "executorch" else real(name)
    )
    with pytest.raises(UnsupportedExecuTorchError, match=r"9\.9\.0 has not been tested.*1\.5\.1"):
        patch_executorch()
    assert references() == before


def test_other_schema_is_refused(executorch: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Binding(lambda name: None, (b"ET12", (("Program", ()),)))
    monkeypatch.setattr(_codec, "executorch", lambda: other)
    with pytest.raises(UnsupportedExecuTorchError, match=r"program\.fbs"):
        patch_executorch()


def test_upstream_suite(executorch: Binding, tmp_path: Path) -> None:
    """ExecuTorch's own tests of its serializer, as its package carries them, on ours."""
    spec = importlib.util.find_spec("executorch.exir._serialize")
    assert spec is not None and spec.origin is not None
    suite = Path(spec.origin).parent / "test"
    if not suite.is_dir():
        pytest.skip("this executorch comes without its tests")
    (tmp_path / "dropin_active.py").write_text(
        "from bpte.program import _dropin, patch_executorch\n"
        "_dropin.COUNT = 0\n"
        "for name in ('_serialize_pte_binary', '_deserialize_pte_binary',\n"
        "             '_program_to_flatbuffer', '_flatbuffer_to_program'):\n"
        "    def counting(*args, _real=getattr(_dropin, name), **kwargs):\n"
        "        _dropin.COUNT += 1\n"
        "        return _real(*args, **kwargs)\n"
        "    setattr(_dropin, name, counting)\n"
        "patch_executorch()\n"
        "def pytest_terminal_summary(terminalreporter):\n"
        "    terminalreporter.write_line(f'drop-in calls: {_dropin.COUNT}')\n"
    )
    pytest.importorskip("safetensors", reason="executorch's own tests import safetensors")
    path = [str(tmp_path), str(Path(_dropin.__file__).parents[2])]
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            f"import sys; sys.path[:0] = {path!r}; import pytest; sys.exit(pytest.main())",
            *("-q", "-p", "dropin_active", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)),
            *("--import-mode=importlib", str(suite)),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    summary = done.stdout.strip().splitlines()
    assert " passed" in summary[-1] and "failed" not in summary[-1]
    calls = [line for line in summary if line.startswith("drop-in calls: ")]
    assert int(calls[0].split()[-1]) > 20
