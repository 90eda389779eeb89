# SPDX-License-Identifier: BSD-3-Clause
"""Reads TOML from files that are not trusted, with one kind of error."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class TomlError(ValueError):
    """The text is not valid TOML, or cannot be read here."""


def parse(data: bytes) -> dict[str, Any]:
    """The tables of a TOML document in UTF-8. Raises ``TomlError``."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        raise TomlError("not valid TOML: nested too deeply") from None
    # TOMLDecodeError and UnicodeDecodeError are ValueErrors; int() raises one for too many
    # digits.
    except ValueError as error:
        raise TomlError(f"not valid TOML: {error}") from None
