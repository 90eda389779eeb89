# SPDX-License-Identifier: BSD-3-Clause
"""Nothing but a whole file ever stands under the target's name: full disks, kills, sources that
shrink, outputs that are inputs."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.files import transfer
from bpte.files.access import SameFileError
from bpte.files.atomic import temporary_name

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def bundled(program: object) -> bpte.BundledProgram:
    case = bpte.MethodTestCase([np.arange(1000, dtype=np.float32)])
    return bpte.BundledProgram(program, [bpte.MethodTestSuite("f", [case])])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A program of 40 MiB: several steps of copying."""
    path = tmp_path / "big.pte"
    path.write_bytes(np.random.default_rng(0).bytes(40 * MIB))
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An older bundle under the name that is to be written."""
    path = tmp_path / "out" / "m.bpte"
    path.parent.mkdir()
    bundled(b"old").save(path)
    return path


def assert_untouched(old: Path) -> None:
    with bpte.open(old, verify=True) as bundle:
        assert bytes(bundle.program) == b"old"
    assert [path.name for path in old.parent.iterdir()] == [old.name]


# ---- A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=8m", "bpte-test", folder]
    if subprocess.run(options, capture_output=True, check=False).returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here; the file-size limit is tested instead")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("format", ["bp09", "bp08"])
def test_a_full_disk(small_disk: Path, source: Path, format: str, in_memory: bool) -> None:
    target = small_disk / "m.bpte"
    bundled(b"old").save(target)
    program = source.read_bytes() if in_memory else source
    with pytest.raises(OSError) as caught:
        bundled(program).save(target, format=format, fit="skip")
    assert caught.value.errno == errno.ENOSPC
    assert str(target) in str(caught.value)
    assert_untouched(target)


def test_a_disk_that_fills_up_with_tensors(small_disk: Path) -> None:
    target = small_disk / "m.bpte"
    bundled(b"old").save(target)
    cases = [bpte.MethodTestCase([np.ones(MIB)]) for _ in range(2)]
    with pytest.raises(OSError, match=r"m\.bpte"):
        bpte.BundledProgram(b"p", [bpte.MethodTestSuite("f", cases)]).save(target)
    assert_untouched(target)


def test_extract_and_convert_onto_a_full_disk(small_disk: Path, source: Path) -> None:
    big = source.with_name("big.bpte")
    bundled(source).save(big, fit="skip", durable=False)
    target = small_disk / "m.bpte"
    bundled(b"old").save(target)
    with bpte.open(big) as bundle, pytest.raises(OSError, match=r"m\.bpte"):
        bundle.extract_program(target)
    assert_untouched(target)


def test_a_limit_on_the_size_of_files(source: Path, old: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 * MIB, 8 * MIB))

    done = subprocess.run(
        [
            *(sys.executable, "-c", "import sys; from bpte.cli import main; sys.exit(main())"),
            *("pack", source, "--case", "in=1", "--no-fit", "-o", old),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr == f"bpte pack: {old}: File too large\n"
    assert_untouched(old)


# ---- Sources


def test_a_source_that_shrinks(source: Path, old: Path) -> None:
    def progress(total: int) -> Callable[[int], None]:
        return lambda count: os.truncate(source, 20 * MIB)

    with pytest.raises(transfer.SourceError, match="shrank") as caught:
        bundled(source).save(old, fit="skip", progress=progress)
    assert caught.value.filename == str(source)
    assert_untouched(old)


def test_a_source_that_changes(source: Path, old: Path) -> None:
    def progress(total: int) -> Callable[[int], None]:
        def step(count: int) -> None:
            with source.open("r+b") as file:
                file.write(b"changed")
            os.utime(source, (0, 0))

        return step

    with pytest.raises(transfer.SourceError, match="changed while it was copied"):
        bundled(source).save(old, fit="skip", progress=progress)
    assert_untouched(old)


def test_a_source_that_is_no_file(tmp_path: Path, old: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError) as caught:
            bundled(path).save(old)
        assert caught.value.filename == str(path)
    assert_untouched(old)


def test_a_source_that_may_not_be_read(source: Path, old: Path) -> None:
    source.chmod(0)
    root = os.geteuid() == 0
    if root:  # who may read everything: somebody else must try, and be let through to the file
        for folder in old.parents:
            if folder.stat().st_uid == 0 and "pytest" in str(folder):
                folder.chmod(folder.stat().st_mode | 0o011)
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError) as caught:
            bundled(source).save(old)
    finally:
        if root:
            os.seteuid(0)
    assert caught.value.filename == str(source)
    assert_untouched(old)


def test_a_program_that_fails_to_write_itself(old: Path) -> None:
    class Program:
        calls = 0

        def write_to_file(self, file: object) -> None:
            file.write(b"abc")  # type: ignore[attr-defined]
            Program.calls += 1
            if Program.calls > 1:
                raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        bundled(Program()).save(old, fit="skip")
    assert_untouched(old)


# ---- The output is the input


@pytest.mark.parametrize("link", ["same", "hard", "symbolic", "through"])
def test_an_output_that_is_the_input(tmp_path: Path, link: str) -> None:
    program = tmp_path / "model"
    program.write_bytes(b"program")
    output = tmp_path / "other"
    if link == "hard":
        output.hardlink_to(program)
    elif link == "symbolic":
        output.symlink_to(program)
    elif link == "through":
        (tmp_path / "folder").symlink_to(tmp_path)
        output = tmp_path / "folder" / "model"
    else:
        output = program
    for given in (bundled(program), bpte.BundledProgram(b"p", named_data={"k": program})):
        with pytest.raises(SameFileError, match="the output is the same file as"):
            given.save(output)
    assert program.read_bytes() == b"program"
    assert not [path for path in tmp_path.iterdir() if "tmp" in path.name]


def test_a_bundle_may_be_rewritten_from_its_own_views(old: Path) -> None:
    with bpte.open(old) as bundle:
        suite = bpte.MethodTestSuite(
            "f", [bpte.MethodTestCase(bundle.suites[0].test_cases[0].inputs)]
        )
        bpte.BundledProgram(bytes(bundle.program), [suite]).save(old)
    assert_untouched(old)


# ---- The file that is replaced


def test_a_link_is_followed_and_the_mode_kept(tmp_path: Path, old: Path) -> None:
    old.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(old)
    bundled(b"new").save(link)
    assert link.is_symlink()
    assert old.stat().st_mode & 0o777 == 0o640
    with bpte.open(old) as bundle:
        assert bytes(bundle.program) == b"new"
    umask = os.umask(0o027)
    try:
        bundled(b"new").save(tmp_path / "fresh")
    finally:
        os.umask(umask)
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o640


def test_the_longest_of_names(tmp_path: Path) -> None:
    for name in ("n" * 255, "ä" * 127):
        bundled(b"p").save(tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    for path in (Path("/dev/null"), tmp_path):
        before = path.stat()
        with pytest.raises(OSError) as caught:
            bundled(b"p").save(path)
        assert caught.value.filename == str(path)
        assert os.path.samestat(before, path.stat())


# ---- Kills and their litter


def test_litter_of_the_dead_is_removed_and_that_of_the_living_is_not(old: Path) -> None:
    folder = old.parent
    dead = folder / temporary_name("m.bpte")
    dead.write_bytes(b"partial")
    other = folder / ".other.txt"
    other.write_bytes(b"not ours")
    while_writing: list[list[str]] = []

    def progress(total: int) -> Callable[[int], None]:
        # Another writer in the same folder, in the middle of this one's work.
        bundled(b"second").save(folder / "second.bpte")
        while_writing.append(sorted(path.name for path in folder.iterdir()))
        return lambda count: None

    bundled(b"old").save(old, progress=progress)
    (names,) = while_writing
    assert dead.name not in names
    assert len([name for name in names if "bpte-tmp" in name]) == 1
    (folder / "second.bpte").unlink()
    other.unlink()
    assert_untouched(old)


def test_a_stranger_s_file_is_never_removed(old: Path) -> None:
    folder = old.parent
    ours = temporary_name("m.bpte")
    strangers = [
        *(".my.bpte-tmp-notes", ".m.bpte.bpte-tmp-0123456789ab", "notes.bpte-tmp-0123456789ab"),
        *(f"{ours[:-1]}{'0' if ours[-1] != '0' else '1'}", ours[1:], f"{ours}x", f".{ours}"),
    ]
    for name in strangers:
        (folder / name).write_bytes(b"mine")
    # Even under a name of ours: a folder, a link, or a file of two names was not left by us.
    (folder / temporary_name("a")).mkdir()
    (folder / temporary_name("b")).symlink_to(folder / strangers[0])
    os.mkfifo(folder / temporary_name("c"))
    (folder / temporary_name("d")).hardlink_to(folder / strangers[0])
    before = sorted(path.name for path in folder.iterdir())
    (folder / ours).write_bytes(b"partial")
    bundled(b"old").save(old)
    assert sorted(path.name for path in folder.iterdir()) == before


def save_many(folder: Path, writer: int, count: int) -> None:
    from bpte.files.atomic import AtomicFile

    for number in range(count):
        with AtomicFile(folder / f"{writer}-{number}", durable=False) as file:
            os.write(file.fd, b"whole")
            file.commit()


def test_many_save_into_one_folder_at_once(tmp_path: Path) -> None:
    """3,200 files by 8 processes, which look for litter 3,200 times."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=save_many, args=(tmp_path, each, 400)) for each in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 8
    written = list(tmp_path.iterdir())
    assert len(written) == 3200
    assert all(path.read_bytes() == b"whole" for path in written)


KILLS = int(os.environ.get("BPTE_KILLS", "40"))

KILL_LOOP = """
import os, random, signal, sys, time
from pathlib import Path
import bpte
import numpy as np

target, kills = Path(sys.argv[1]), int(sys.argv[2])
source = target.with_name("source")
rng = np.random.default_rng(0)
programs = [rng.bytes(20 << 20), rng.bytes(24 << 20)]
array = rng.random(100_000)
sources = []
for index, program in enumerate(programs):
    sources.append(target.parent.parent / f"{index}.pte")
    sources[-1].write_bytes(program)

def save(index):
    # From a file and from memory, in turns; one of four waits for the disk.
    kind = random.randrange(4)
    case = bpte.MethodTestCase([array, index])
    bundled = bpte.BundledProgram(
        sources[index] if kind % 2 else programs[index], [bpte.MethodTestSuite("f", [case])]
    )
    bundled.save(target, fit="skip", durable=kind == 0)

save(0)
begun = time.monotonic()
for _ in range(5):
    save(0)
span = 1.5 * (time.monotonic() - begun) / 5
outcomes = {"old": 0, "new": 0, "litter": 0}
for number in range(kills):
    child = os.fork()
    if child == 0:
        random.seed(number)
        save(1)
        os._exit(0)
    time.sleep(random.uniform(0, span))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with bpte.open(target, verify=True) as bundle:
        found = programs.index(bundle.program)
        assert bundle.suites[0].test_cases[0].inputs[1] == found
    outcomes["new" if found else "old"] += 1
    litter = [p.name for p in target.parent.iterdir() if p != target]
    assert len(litter) <= 1 and all("bpte-tmp" in name for name in litter), litter
    outcomes["litter"] += len(litter)
    if found:
        save(0)
        assert [p for p in target.parent.iterdir()] == [target]
save(0)
assert [p for p in target.parent.iterdir()] == [target]
print(outcomes)
"""


def test_kill_9_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """BPTE_KILLS says how often; a release is tested with 300."""
    target = tmp_path / "out" / "m.bpte"
    target.parent.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILL_LOOP, target, str(KILLS)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    outcomes = eval(done.stdout)
    assert outcomes["old"] and outcomes["litter"], "no kill came in the middle"


# ---- Ways of copying


@pytest.mark.parametrize("works", ["copy_file_range", "sendfile", "read and write"])
def test_every_way_of_copying_gives_the_same_file(
    works: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> int:
        raise OSError(errno.EXDEV, "not here")

    if works != "copy_file_range":
        monkeypatch.setattr(transfer, "_kernel_copy", refuse)
    if works == "read and write":
        monkeypatch.setattr(transfer, "_sendfile", refuse)
    bundled(source).save(tmp_path / "m.bpte", fit="skip", durable=False)
    with bpte.open(tmp_path / "m.bpte", verify=True) as bundle:
        assert bundle.program == source.read_bytes()
        bundle.extract_program(tmp_path / "again.pte", durable=False)
    assert (tmp_path / "again.pte").read_bytes() == source.read_bytes()


def test_extract_notices_a_program_that_rots(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.bpte"
    saved = bundled(source).save(path, fit="skip", durable=False)
    with path.open("r+b") as file:
        file.seek(saved.program_offset + 30 * MIB)
        file.write(b"rot")
    with bpte.open(path) as bundle, pytest.raises(bpte.BundleError, match="segment_checksum"):
        bundle.extract_program(tmp_path / "out.pte")
    assert not (tmp_path / "out.pte").exists()
