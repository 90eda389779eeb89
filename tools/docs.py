# SPDX-License-Identifier: BSD-3-Clause
"""The site: pages of the repository, Python's docstrings, the C++ headers' comments.

    make docs        into build/docs/site; any warning is an error

The pages are the repository's own Markdown files, in their own folders, so that links between them
hold. Files that a page links to go along; a link to a folder leads to its README.md. Doxygen reads
the public headers, and its pages stand under cpp/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "docs"
PAGES = BUILD / "pages"
SITE = BUILD / "site"

#: The order of the first level; pages that stand nowhere come after these.
ORDER = ("README.md", "docs", "schema", "boards", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
TITLES = {"README.md": "bpte", "docs": "Guides", "schema": "The format", "boards": "Boards"}
#: Python's public modules: what each page of the reference shows.
PYTHON = {
    "bpte": "bpte",
    "program": "bpte.program",
    "devtools": "bpte.devtools.bundled_program",
    "board": "bpte.run.board",
    "launcher": "bpte.run.launcher",
}
HEADERS = ("core", "devtools", "engine", "engine/executorch", "engine/reference", "runner")

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def markdown_files() -> list[Path]:
    """Tracked pages that are for readers; relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return [Path(name) for name in listed if not name.startswith((".", "tests/"))]


class Pages:
    """Copies pages into PAGES with links that lead somewhere within the site."""

    def __init__(self) -> None:
        self.files = set(markdown_files())

    def write(self) -> None:
        for page in sorted(self.files):
            target = PAGES / self.place(page)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.rewritten(page), "utf-8")

    def rewritten(self, page: Path) -> str:
        text = (ROOT / page).read_text("utf-8")
        return _LINK.sub(lambda link: self.link(page, link), text)

    @staticmethod
    def place(page: Path) -> Path:
        """A README.md is its folder's index, as the site's host shows it."""
        return page.with_name("index.md") if page.name == "README.md" else page

    def link(self, page: Path, link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if re.match(r"[a-z]+:", target):
            return link[0]
        try:
            path = (ROOT / page.parent / target).resolve().relative_to(ROOT)
        except ValueError:
            raise SystemExit(f"{page}: {target} leads out of the repository") from None
        if not (ROOT / path).exists():
            raise SystemExit(f"{page}: {target} does not exist")
        if (ROOT / path).is_dir():
            if path / "README.md" not in self.files:
                return text  # a folder of sources: nothing to show
            path /= "README.md"
        if path not in self.files:
            (PAGES / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, PAGES / path)
        up = "../" * len(self.place(page).parent.parts)
        return f"[{text}]({up}{self.place(path).as_posix()}{anchor})"


def reference() -> None:
    """A page for each public Python module, and the door to Doxygen's."""
    folder = PAGES / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name, module in PYTHON.items():
        (folder / f"{name}.md").write_text(f"# {module}\n\n::: {module}\n", "utf-8")


def navigation() -> list[object]:
    def of(folder: Path) -> list[object]:
        pages = sorted(path for path in folder.rglob("*.md"))
        pages.sort(key=lambda path: (path.parent, path.name != "index.md"))
        return [path.relative_to(PAGES).as_posix() for path in pages]

    entries: list[object] = []
    for name in ORDER:
        place = PAGES / Pages.place(Path(name))
        if place.is_dir():
            entries.append({TITLES[name]: of(place)})
        elif place.is_file():
            entries.append(place.relative_to(PAGES).as_posix())
    entries.append({"Python": of(PAGES / "reference")})
    entries.append({"C++": "cpp/index.html"})
    return entries


def doxygen() -> None:
    """Comments of the public headers, as pages and as XML."""
    output = BUILD / "cpp"
    inputs = " ".join(f'"{ROOT / "runtime" / "bpte" / folder}"' for folder in HEADERS)
    settings = f"""
PROJECT_NAME = bpte
OUTPUT_DIRECTORY = "{output}"
INPUT = {inputs}
FILE_PATTERNS = *.h
RECURSIVE = NO
STRIP_FROM_PATH = "{ROOT / "runtime"}"
STRIP_FROM_INC_PATH = "{ROOT / "runtime"}"
EXTRACT_ALL = YES
JAVADOC_AUTOBRIEF = YES
MACRO_EXPANSION = NO
HAVE_DOT = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
QUIET = YES
WARN_IF_UNDOCUMENTED = NO
WARN_IF_DOC_ERROR = YES
WARN_AS_ERROR = FAIL_ON_WARNINGS
"""
    done = subprocess.run(
        ["doxygen", "-"], input=settings, text=True, check=False, stderr=subprocess.PIPE
    )
    if done.returncode != 0:
        raise SystemExit(f"doxygen: {done.stderr}")
    shutil.copytree(output / "html", PAGES / "cpp")


def main() -> int:
    if shutil.which("doxygen") is None:
        print("doxygen is not installed (apt-get install doxygen)", file=sys.stderr)
        return 1
    for folder in (PAGES, SITE, BUILD / "cpp"):
        shutil.rmtree(folder, ignore_errors=True)
    BUILD.mkdir(parents=True, exist_ok=True)
    Pages().write()
    reference()
    doxygen()
    settings = BUILD / "mkdocs.yml"
    settings.write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: {PAGES}\nsite_dir: {SITE}\n"
        f"nav: {json.dumps(navigation())}\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", settings]
    # The theme advertises its successor on every run unless told not to.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if built.returncode == 0:
        print(f"{SITE / 'index.html'}: {len(list(SITE.rglob('*.html')))} pages")
    return built.returncode


if __name__ == "__main__":
    sys.exit(main())
