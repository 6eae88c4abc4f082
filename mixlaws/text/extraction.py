"""What of a file of the Python environment is text: code, docstrings, or prose without licences."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

MIN_DOCSTRING_CHARACTERS = 80

LEGAL = re.compile(r"licen[cs]e|copying|copyright|notice|third.?party", re.IGNORECASE)
"""Found in the names of files about licences, and in comments about them."""
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
    """Yield each docstring's statement, and whether it is all that its body holds.

    Visits statements only: expressions hold no docstring and are most of the nodes.
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

    Raises SyntaxError when the source is not Python, or would not be any more.
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
    """Return the docstrings of Python source in order, those of MIN_DOCSTRING_CHARACTERS or more.

    Raises SyntaxError when the source is not Python.
    """
    statements = [statement for statement, _ in _docstring_statements(ast.parse(source))]
    statements.sort(key=lambda statement: statement.lineno)
    texts = [inspect.cleandoc(ast.literal_eval(statement.value)) for statement in statements]
    kept = [text for text in texts if len(text) >= MIN_DOCSTRING_CHARACTERS]
    return _tidy("\n\n".join(kept))


def without_licence(source: str) -> str:
    """Return a header or a page without the comment about copyright or licence on its top."""
    match = _LEADING_COMMENT.match(source)
    return _tidy(source[match.end() :] if match and LEGAL.search(match[0]) else source)


def _tidy(text: str) -> str:
    """Drop the white space at the ends of lines and all but one of several empty lines."""
    text = re.sub(r"[ \t\r\f]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
