"""Extraction: the code, the docstrings or the prose of a file, without comments on licences."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

MIN_DOCSTRING_CHARACTERS = 80

LEGAL = re.compile(r"licen[cs]e|copying|copyright|notice|third.?party", re.IGNORECASE)
"""Matches the names of files about licences, and comments about them."""
_STRING_OR_COMMENT = re.compile(
    r"'''(?:[^\\]|\\.)*?'''"
    r'|"""(?:[^\\]|\\.)*?"""'
    r"|'(?:[^'\\\n]|\\.)*'"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|\#[^\n]*",
    re.DOTALL,
)
_LEADING_COMMENT = re.compile(r"\A\s*(?:/\*.*?\*/|(?://[^\n]*\n)+|<!--.*?-->)", re.DOTALL)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _docstring_statements(tree: ast.Module) -> Iterator[tuple[ast.Expr, bool]]:
    """Yield each docstring's statement, and whether its body has no other.

    Only statements are visited: most nodes are expressions, which have no docstring.
    """
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            statement = node.body[0]
            assert isinstance(statement, ast.Expr)
            yield statement, len(node.body) == 1
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            children = getattr(node, field, [])
            pending += children if isinstance(children, list) else []


def python_code(source: str) -> str:
    """Return Python source without docstrings and comments.

    Raises SyntaxError when the source, or what is left of it, is not Python.
    """
    lines = source.encode().split(b"\n")
    for statement, is_alone in _docstring_statements(ast.parse(source)):
        first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
        before = lines[first][: statement.col_offset]
        after = lines[last][statement.end_col_offset :].lstrip(b" ;")
        filler = b"pass" if is_alone else b""
        lines[first : last + 1] = [before + filler + after] + [b""] * (last - first)
    code = _STRING_OR_COMMENT.sub(_without_comment, b"\n".join(lines).decode())
    ast.parse(code)
    return _tidy(code)


def _without_comment(match: re.Match[str]) -> str:
    return "" if match[0].startswith("#") else match[0]


def docstrings(source: str) -> str:
    """Return the docstrings of MIN_DOCSTRING_CHARACTERS or more of Python source, in order.

    Raises SyntaxError when the source is not Python.
    """
    statements = [statement for statement, _ in _docstring_statements(ast.parse(source))]
    statements.sort(key=lambda statement: statement.lineno)
    texts = [inspect.cleandoc(ast.literal_eval(statement.value)) for statement in statements]
    kept = [text for text in texts if len(text) >= MIN_DOCSTRING_CHARACTERS]
    return _tidy("\n\n".join(kept))


def without_licence(source: str) -> str:
    """Return a header or a page without a comment about copyright or licence at its top."""
    match = _LEADING_COMMENT.match(source)
    return _tidy(source[match.end() :] if match and LEGAL.search(match[0]) else source)


def _tidy(text: str) -> str:
    """Strip the ends of lines, and reduce runs of empty lines to one."""
    text = re.sub(r"[ \t\r\f]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
