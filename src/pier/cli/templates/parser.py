"""Tokens to a tree: text, pipelines, `if`, `with`, `range`, variables. Pure.

Source: the grammar in the documentation of Go's text/template. `define`, `template` and `block` are refused by
name: a `--format` has no use for them.
"""

from __future__ import annotations

from pier.cli.templates.lexer import TemplateError, Token, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Node: TypeAlias = "Text | Action | Branch | Jump"


class Operand:
    """A value: `kind` is dot, field, variable, name, literal or group; `fields` are looked up in it in turn."""

    __slots__ = ("fields", "kind", "value")

    def __init__(self, kind: str, value: object, fields: list[str]) -> None:
        self.kind = kind
        self.value = value
        self.fields = fields


class Pipeline:
    """Commands (lists of operands), each one's value the last argument of the next; perhaps kept in variables."""

    __slots__ = ("commands", "declared", "text", "variables")

    def __init__(self, commands: list[list[Operand]], variables: list[str], text: str, *, declared: bool) -> None:
        self.commands = commands
        self.variables = variables
        self.text = text
        self.declared = declared


class Text:
    """Plain text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Action:
    """`{{pipeline}}`."""

    __slots__ = ("pipeline",)

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline


class Branch:
    """`{{if}}`, `{{with}}` or `{{range}}` with its two lists of nodes."""

    __slots__ = ("body", "kind", "otherwise", "pipeline")

    def __init__(self, kind: str, pipeline: Pipeline, body: list[Node], otherwise: list[Node]) -> None:
        self.kind = kind
        self.pipeline = pipeline
        self.body = body
        self.otherwise = otherwise


class Jump:
    """`{{break}}` or `{{continue}}`."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


BRANCHES = ("if", "with", "range")
REFUSED = ("define", "template", "block")
CONSTANTS: dict[str, object] = {"true": True, "false": False, "nil": None}


def parse(text: str, functions: frozenset[str] | set[str]) -> list[Node]:
    """The nodes of a template; a name that is no function is refused, as Go refuses it."""
    return Parser(text, functions).parse()


class Parser:
    """Recursive descent over the parts that the lexer cut."""

    def __init__(self, text: str, functions: frozenset[str] | set[str]) -> None:
        self.parts = split(text)
        self.position = 0
        self.functions = functions
        self.variables = ["$"]

    def parse(self) -> list[Node]:
        """The whole template."""
        nodes, ending = self._nodes()
        if ending:
            raise TemplateError(f"unexpected {{{{{ending[0].value}}}}}")
        return nodes

    def _nodes(self) -> tuple[list[Node], list[Token]]:
        """Nodes up to an `else`, an `end` or the end of the text, and the action that ended them."""
        nodes: list[Node] = []
        while self.position < len(self.parts):
            part = self.parts[self.position]
            self.position += 1
            if isinstance(part, Token):
                nodes.append(Text(part.value))
                continue
            tokens = [token for index, token in enumerate(part) if token.kind != "space" or 0 < index < len(part) - 1]
            if not tokens:
                raise TemplateError("missing value for command")
            word = tokens[0].value if tokens[0].kind == "name" else ""
            if word in ("end", "else"):
                return nodes, tokens
            nodes.append(self._node(word, tokens))
        return nodes, []

    def _node(self, word: str, tokens: list[Token]) -> Node:
        if word in BRANCHES:
            return self._branch(word, tokens[1:])
        if word in REFUSED:
            raise TemplateError(f"{word} is not supported in a format")
        if word in ("break", "continue") and len(tokens) == 1:
            return Jump(word)
        return Action(self._pipeline(tokens, "command"))

    def _branch(self, kind: str, tokens: list[Token]) -> Branch:
        depth = len(self.variables)
        pipeline = self._pipeline(tokens, kind)
        body, ending = self._nodes()
        otherwise: list[Node] = []
        if ending and ending[0].value == "else":
            rest = [token for token in ending[1:] if token.kind != "space"]
            if rest and rest[0].kind == "name" and rest[0].value in ("if", "with"):
                start = next(index for index, token in enumerate(ending) if token is rest[0])
                otherwise = [self._branch(rest[0].value, ending[start + 1 :])]
                del self.variables[depth:]
                return Branch(kind, pipeline, body, otherwise)
            otherwise, ending = self._nodes()
        if not ending or ending[0].value != "end":
            raise TemplateError("unexpected EOF")
        del self.variables[depth:]
        return Branch(kind, pipeline, body, otherwise)

    def _pipeline(self, tokens: list[Token], context: str) -> Pipeline:
        reader = Reader(tokens)
        variables, declared = self._declaration(reader, context)
        commands: list[list[Operand]] = []
        start = reader.position
        while True:
            commands.append(self._command(reader))
            mark = reader.peek()
            if mark is None or mark.value == ")":
                break
            reader.next()  # a "|"
        if any(not command for command in commands):
            raise TemplateError(f"missing value for {context}")
        text = "".join(token.value for token in tokens[start:])
        self.variables += variables if declared else []
        return Pipeline(commands, variables, text, declared=declared)

    def _declaration(self, reader: Reader, context: str) -> tuple[list[str], bool]:
        tokens = [token for token in reader.tokens if token.kind != "space"]
        names = [token.value for token in tokens[:3] if token.kind == "variable"]
        if context == "range" and len(tokens) > 3 and tokens[1].value == "," and tokens[3].value in (":=", "="):
            count, mark = 4, tokens[3].value
        elif len(tokens) > 1 and tokens[0].kind == "variable" and tokens[1].value in (":=", "="):
            count, mark, names = 2, tokens[1].value, names[:1]
        else:
            return [], False
        for _ in range(count):
            reader.skip_space()
            reader.next()
        return names, mark == ":="

    def _command(self, reader: Reader) -> list[Operand]:
        operands: list[Operand] = []
        while True:
            reader.skip_space()
            token = reader.peek()
            if token is None or (token.kind == "mark" and token.value in ("|", ")")):
                return operands
            operands.append(self._operand(reader))

    def _operand(self, reader: Reader) -> Operand:
        token = reader.next()
        if token.kind == "mark" and token.value == "(":
            inner = self._group(reader)
            return Operand("group", self._pipeline(inner, "parenthesized pipeline"), reader.fields())
        if token.kind == "field":
            names = [token.value[1:]] if len(token.value) > 1 else []
            return Operand("dot", None, names + reader.fields())
        if token.kind == "variable":
            if token.value not in self.variables:
                raise TemplateError(f'undefined variable "{token.value}"')
            return Operand("variable", token.value, reader.fields())
        if token.kind == "name":
            if token.value in CONSTANTS:
                return Operand("literal", CONSTANTS[token.value], [])
            if token.value not in self.functions:
                raise TemplateError(f'function "{token.value}" not defined')
            return Operand("name", token.value, reader.fields())
        if token.kind in ("string", "char", "number"):
            return Operand("literal", _literal(token), reader.fields())
        raise TemplateError(f'unexpected "{token.value}" in operand')

    def _group(self, reader: Reader) -> list[Token]:
        depth = 1
        inner: list[Token] = []
        while True:
            token = reader.peek()
            if token is None:
                raise TemplateError("unclosed left paren")
            reader.next()
            depth += {"(": 1, ")": -1}.get(token.value, 0) if token.kind == "mark" else 0
            if depth == 0:
                return inner
            inner.append(token)


class Reader:
    """The tokens of one action, one after the other."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0

    def peek(self) -> Token | None:
        """The next token, if there is one."""
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def next(self) -> Token:
        """Take the next token."""
        self.position += 1
        return self.tokens[self.position - 1]

    def skip_space(self) -> None:
        """Go past a blank."""
        while (token := self.peek()) is not None and token.kind == "space":
            self.position += 1

    def fields(self) -> list[str]:
        """The `.Field` tokens that follow without a blank."""
        names = []
        while (token := self.peek()) is not None and token.kind == "field" and len(token.value) > 1:
            names.append(self.next().value[1:])
        return names


def _literal(token: Token) -> object:
    if token.kind == "string":
        return token.value
    if token.kind == "char":
        if len(token.value) != 1:
            raise TemplateError(f"malformed character constant: '{token.value}'")
        return ord(token.value)
    text = token.value.replace("_", "")
    try:
        if text.lstrip("+-").isdecimal():
            return int(text)
        return int(text, 0) if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else float(text)
    except ValueError:
        raise TemplateError(f'bad number syntax: "{token.value}"') from None
