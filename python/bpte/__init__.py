"""Bundled ExecuTorch programs: produce, check, convert, inspect and run ``.bpte`` files."""

__version__ = "0.1.0"
