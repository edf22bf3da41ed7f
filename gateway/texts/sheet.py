"""What leaves as a file for people: pages that load and run nothing, and cells that no spreadsheet calculates.

A page's style stands in it, and its policy names the style by its digest: whatever else came into it would do nothing.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

_BASE = (Path(__file__).parent / "sheet.css").read_text(encoding="utf-8")
_MARK = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 3h9a7 7 0 0 1 0 14H4z"/><path d="M9 21h11V8"/></svg>'
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

END = "</main>\n</body>\n</html>\n"
"""How a page ends."""


def head(title: str, style: str) -> str:
    """How a page begins, up to its first heading; `style` is what it has beside the style of all pages."""
    whole = f"{_BASE}{style}"
    digest = base64.b64encode(hashlib.sha256(whole.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f'<title>{escape(title)} - Dutybound</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{whole}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">Skip to the content</a>\n'
        f'<header class="top"><div class="in"><p class="brand">{_MARK}Dutybound</p></div></header>\n'
        '<main id="main" class="in">\n'
    )


def csv_line(cells: Iterable[str]) -> str:
    """One line of CSV (RFC 4180)."""
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def cell(text: str) -> str:
    """The text of a cell; one that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA) else text
