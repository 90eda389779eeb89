# SPDX-License-Identifier: BSD-3-Clause
"""Every command that a page prints, run as it stands there.

A command is a line of a block marked `sh`. The commands of a page run one after the other in a
folder of their own, which holds the files that pages name. What is not run here is in NOT_RUN_HERE.
A command must succeed, unless its comment says with which exit code it ends. In a guide
(docs/guides), a block marked `text` is what the command before it prints, `...` standing for
anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from boards_support import ROOT, demo_arrays, demo_program, pack, quantised, require

#: (pages, how the command begins or what it contains, why it is not run here). A test that is named
#: runs the command, or what it runs.
NOT_RUN_HERE = (
    (r".*", r"^apt-get install ", "wants root and the network"),
    (r"README\.md", r"^make (demo|test)$", "takes minutes, and installs packages"),
    (
        r"docs/ethos-u\.md",
        r"^make confirm-npu",
        "wants an FVP: tests/engine/ethosu/test_confirm.py",
    ),
    (r"CONTRIBUTING\.md", r"^export PATH=", "changes only the shell that it is typed into"),
    (r"CONTRIBUTING\.md", r"build/debug", "a session with gdb: tests/boards/test_debugging.py"),
    (
        r"examples/speech/.*",
        r"^python examples/speech/make\.py",
        "exports for a minute: tests/runner/test_speech.py has what it makes, and so has this one",
    ),
    (r".*", r" --simulator fvp\b", "wants Arm's FVP: tests/boards/test_fvp.py"),
    (r"boards/corstone-320/.*", r"^bpte run ", "wants Arm's FVP: tests/boards/test_fvp.py"),
    (
        r"boards/README\.md",
        r" --engine executorch\b",
        "wants an ExecuTorch built for the board: tests/boards/test_executorch.py",
    ),
    (
        r"boards/README\.md",
        r" --linked\b",
        "wants a firmware that has the bundle: tests/boards/test_add_bundle.py",
    ),
    (
        r".*",
        r"^bpte inspect .* --board ",
        "builds a firmware for the file: tests/boards/test_footprint.py",
    ),
    (
        r"boards/linux-aarch64/.*",
        r"linux-aarch64",
        "builds for minutes, with a package of the network: tests/runner/test_linux_aarch64.py",
    ),
    (
        r"docs/embedding\.md",
        r"^cmake .*build/bpte",
        "installs for minutes: tests/consumer/test_consumer.py",
    ),
    (
        r"docs/embedding\.md",
        r"^(g\+\+|ar) ",
        "compiles all sources: tests/consumer/test_embedding.py",
    ),
)

#: Words that begin a command: a block with such a line is marked `sh`.
PROGRAMS = ("apt-get", "bpte", "cmake", "ctest", "g++", "make", "pip", "pytest", "python")
BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    page: str
    text: str
    status: int = 0
    prints: tuple[str, ...] = ()

    def why_not(self) -> int | None:
        """The number of the entry of NOT_RUN_HERE for it."""
        for number, (page, command, _) in enumerate(NOT_RUN_HERE):
            if re.fullmatch(page, self.page) and re.search(command, self.text):
                return number
        return None


def pages() -> list[str]:
    command = ["git", "ls-files", "*.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()  # outside of a checkout there are none, and all tests skip


def blocks() -> list[tuple[str, str, str]]:
    """Page, language and text of every fenced block."""
    return [
        (page, found[2].strip(), found[3])
        for page in pages()
        for found in BLOCK.finditer((ROOT / page).read_text("utf-8"))
    ]


def commands() -> dict[str, list[Command]]:
    """Each page's commands, in their order, without comments. A backslash joins two lines."""
    found: dict[str, list[Command]] = {}
    for page, language, text in blocks():
        if language == "text" and page.startswith("docs/guides/"):
            last = found[page].pop()
            shown = tuple(map(plain, text.split("...")))
            found[page].append(replace(last, prints=shown))
        if language != "sh":
            continue
        lines = re.sub(r"\\\n\s*", "", text).splitlines()
        made = (command(page, line) for line in lines)
        found.setdefault(page, []).extend(each for each in made if each.text)
    return found


def plain(text: str) -> str:
    """The text, wherever its lines are broken."""
    return " ".join(text.split())


def command(page: str, line: str) -> Command:
    told = re.search(r"(?:^|\s)#.*\bexit code (\d+)", line)
    text = re.sub(r"(^|\s+)#.*", "", line).strip()
    return Command(page, text, int(told[1]) if told else 0)


COMMANDS = commands()


@pytest.fixture(scope="module")
def named_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages' commands take: the committed model and its cases, under the pages' names."""
    folder = tmp_path_factory.mktemp("named")
    x, y = demo_arrays()[0]
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    for name in ("model.pte", "mlp.pte"):
        shutil.copy(demo_program(), folder / name)
    bundle = pack(folder / "model.bpte", demo_program(), demo_arrays())
    npu_program, npu_cases, one_step = quantised("ethos_u55")
    pack(folder / "ethos_u55.bpte", npu_program, npu_cases, tolerance=one_step)
    convert = [sys.executable, "-m", "bpte", "convert", bundle, folder / "old_bp08.bpte"]
    subprocess.run([*convert, "--format", "bp08"], check=True)
    (folder / "models").mkdir()
    shutil.copy(bundle, folder / "models")
    return folder


@pytest.fixture
def scratch(named_files: Path, tmp_path: Path, bpte_runner: Path) -> dict[str, str]:
    """A folder to type commands in, and the environment of the shell."""
    folder = tmp_path / "scratch"
    shutil.copytree(named_files, folder)
    (folder / "bpte").symlink_to(ROOT)
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "build").mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PWD": str(folder), "BPTE_RUNNER": str(bpte_runner)}


def own_board(folder: Path, firmware: Path) -> None:
    """`my-board` and `firmware.elf`: Corstone-300 once more, outside of the sources."""
    board = folder / "my-board"
    board.mkdir()
    text = (ROOT / "boards" / "corstone-300" / "board.toml").read_text("utf-8")
    (board / "board.toml").write_text(text.replace('"corstone-300"', '"my-board"'))
    shutil.copy(firmware, folder / "firmware.elf")


@pytest.mark.parametrize("page", COMMANDS)
def test_the_commands_of_a_page(
    page: str, scratch: dict[str, str], request: pytest.FixtureRequest
) -> None:
    todo = [command for command in COMMANDS[page] if command.why_not() is None]
    folder = Path(scratch["PWD"])
    if any("board " in command.text for command in todo):
        require("arm-none-eabi-g++", "qemu-system-arm")
    if any("./my-board" in command.text for command in todo):
        own_board(folder, request.getfixturevalue("corstone_300") / "bpte-firmware.elf")
    if any("build/speech/" in command.text for command in todo):
        (folder / "build" / "speech").symlink_to(request.getfixturevalue("speech"))
    for command in todo:
        done = subprocess.run(
            ["sh", "-c", command.text],
            cwd=folder,
            env=scratch,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == command.status, f"{page}: {command.text}\n{done.stdout[-4000:]}"
        said, at = plain(done.stdout), 0
        for piece in command.prints:
            at = said.find(piece, at)
            assert at >= 0, f"{page}: {command.text} does not print {piece!r}\n{done.stdout}"


def test_every_entry_of_the_table_is_needed() -> None:
    """And what it says runs the command is there."""
    needed = {command.why_not() for page in COMMANDS.values() for command in page}
    assert needed >= set(range(len(NOT_RUN_HERE)))
    for _, _, reason in NOT_RUN_HERE:
        for test in re.findall(r"tests/\S+\.py", reason):
            assert (ROOT / test).is_file(), reason


def test_what_apt_get_installs_is_what_the_tests_run_with() -> None:
    known = set(re.findall(r"[\w+.-]+", (ROOT / "tools" / "packages.sh").read_text("utf-8")))
    for page in COMMANDS.values():
        for command in page:
            if command.text.startswith("apt-get install "):
                assert set(command.text.split()[2:]) <= known, command


def test_every_block_with_commands_is_marked() -> None:
    begins = re.compile(rf"^\s*(\$ )?({'|'.join(map(re.escape, PROGRAMS))}) ", re.MULTILINE)
    for page, language, text in blocks():
        assert language == "sh" or begins.search(text) is None, f"{page}: {text}"
        assert language not in ("bash", "console", "shell"), f"{page}: its language is sh"
