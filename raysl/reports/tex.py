r"""User text as LaTeX that shows it literally.

Pure ASCII for any engine and font encoding. Letters with accents, Greek and some signs are written as commands;
whatever pdfLaTeX has no glyph for (other scripts, emoji) as its Unicode number, ``[U+0645 U+0642]``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from raysl.errors import printable

_SPECIAL = {
    **{character: f"\\{character}" for character in "#$%&_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",  # active under babel in some languages
    "`": r"\char96{}",
}
PAIRED = "-',"
"""Characters of which two in a row become another one."""
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0323": "d",
    "\u0327": "c",
}
_LETTERS = {
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "–": "--",
    "—": "---",
    "‘": "`{}",
    "’": "'{}",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "§": r"\S{}",
    "\u00a0": "~",
}
_MATH = {
    "±": r"\pm",
    "×": r"\times",
    "÷": r"\div",
    "·": r"\cdot",
    "−": "-",
    "→": r"\rightarrow",
    "←": r"\leftarrow",
    "↔": r"\leftrightarrow",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "≈": r"\approx",
    "∞": r"\infty",
    "∑": r"\sum",
    "√": r"\surd",
    "°": r"^\circ",
    "²": "^2",
    "³": "^3",
    "µ": r"\mu",
}
_GREEK = {
    **{"ALPHA": "A", "BETA": "B", "GAMMA": "", "DELTA": "", "EPSILON": "E", "ZETA": "Z", "ETA": "H", "THETA": ""},
    **{"IOTA": "I", "KAPPA": "K", "LAMDA": "", "MU": "M", "NU": "N", "XI": "", "PI": "", "RHO": "P", "SIGMA": ""},
    **{"TAU": "T", "UPSILON": "", "PHI": "", "CHI": "X", "PSI": "", "OMEGA": ""},
}
"""Names of letters; for a capital without a TeX command, the Latin letter that it looks like."""


def tex(text: str) -> str:
    """The text on one line, without anything that TeX interprets."""
    pieces: list[str] = []
    numbers: list[str] = []
    for character in unicodedata.normalize("NFC", printable(text.strip())):
        piece = _piece(character)
        if piece is None:
            numbers.append(f"U+{ord(character):04X}")
            continue
        pieces += _written(numbers)
        pieces += ["{}", piece] if pieces[-1:] == [piece] and piece in PAIRED else [piece]
    pieces += _written(numbers)
    # After the end of a row TeX reads these as its options.
    if pieces and pieces[0][0] in "[*":
        pieces[0] = f"{{{pieces[0]}}}"
    return "".join(pieces)


def _written(numbers: list[str]) -> Iterator[str]:
    """A run of characters without a glyph; it is taken."""
    if numbers:
        yield f"[{' '.join(numbers)}]"
        numbers.clear()


def _piece(character: str) -> str | None:
    """The character as LaTeX; None if there is no glyph for it."""
    if character in _SPECIAL or character in _LETTERS:
        return _SPECIAL.get(character) or _LETTERS[character]
    if character.isascii():
        return character
    if character in _MATH:
        return rf"\ensuremath{{{_MATH[character]}}}"
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return rf"\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    kind, _, name = unicodedata.name(character, "").rpartition(" ")
    if kind not in ("GREEK SMALL LETTER", "GREEK CAPITAL LETTER") or name not in _GREEK:
        return None
    command = name.replace("LAMDA", "LAMBDA").lower()
    if kind == "GREEK SMALL LETTER":
        return rf"\ensuremath{{\{command}}}"
    return _GREEK[name] or rf"\ensuremath{{\{command.capitalize()}}}"
