"""Hostile texts, numbers and bytes for the inputs."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

TEXTS = (
    "", " ", "_", "0", "nan", "NULL", "__proto__", "con", "NUL.txt", "../../x", "..\\x", "a/b", "C:\\x", "~", "-", "--", "m" * 1000,
    "=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''@", "'", "=HYPERLINK(\"http://x\")", "</script><img src=x onerror=alert(1)>", "<!--", "&lt;",
    "a|b", "`c`", "*d*", "[e](f)", "[red]x[/]", "[/]", "$x$", "$\\frac$", "\\", "{7*7}", "%s", ":boom:", "#1", "datum.x", '"', "a,b;c",
    "\u05e9\u05dc\u05d5\u05dd", "e" + "\u0301" * 40, "\U0001d54f\U0001f600", "h30-b10", "h0-b1", "h007-b07", "h" + "9" * 30 + "-b1",
    "h\u0663-b1", "784-30-10", "0-0", "9" * 400 + "-10", "loop", "matrix", "timing", "training", "float32", "float64",
)  # fmt: skip
UNREADABLE = ("\x00", "a\nb", "\r", "\t=1", "\x1b[2J", "\x9b", "\u2028", "a\u202eb", "\ufffe", "m" * 1001, "x" * 200_000)
NUMBERS = (
    "0", "-0", "1", "+1", "-1", "0.5", "1.5", "1e3", "1e-9", "1e30", "1e-30", "1e31", "1e-31", "1e308", "1e-308", "5e-324", "1e400", "1e",
    "inf", "nan", "", " 1", "1_0", "0x10", "\u0661\u0662", "9007199254740993", "9223372036854775807", "9223372036854775808", "9" * 30,
    "9" * 5000, "1,5", "True",
)  # fmt: skip
text = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")), max_size=12)


@st.composite
def changed(draw: st.DrawFn, content: bytes, tokens: Sequence[bytes] = (b"\x00", b"\xff")) -> bytes:
    """Draw a copy of the bytes in which up to three short ranges are replaced."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        end = start + draw(st.integers(0, 4))
        content = content[:start] + draw(st.sampled_from(tokens) | st.binary(max_size=6)) + content[end:]
    return content
