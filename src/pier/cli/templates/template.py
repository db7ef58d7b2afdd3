"""A parsed template and its evaluation over decoded JSON or rows of a formatter.

Errors are worded as Go's: `template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"`.
"""

from __future__ import annotations

from pier.cli.templates import parser
from pier.cli.templates.functions import FUNCTIONS, kind, truth
from pier.cli.templates.lexer import TemplateError
from pier.cli.templates.values import Row, Struct, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Template:
    """A format, parsed once and executed for each object."""

    def __init__(self, text: str, functions: dict[str, Callable[..., object]] | None = None) -> None:
        self.text = text
        self.functions = functions or FUNCTIONS
        try:
            self.nodes = parser.parse(text, set(self.functions))
        except TemplateError as error:
            raise TemplateError(f"template: :1: {error}") from None

    def execute(self, data: object) -> str:
        """The text for one object."""
        return _Run(self, data).text(self.nodes, data)


class _Run:
    def __init__(self, template: Template, data: object) -> None:
        self.template = template
        self.functions = template.functions
        self.variables: list[tuple[str, object]] = [("$", data)]

    def text(self, nodes: list[parser.Node], dot: object) -> str:
        result: list[str] = []
        self._walk(nodes, dot, result)
        return "".join(result)

    def _walk(self, nodes: list[parser.Node], dot: object, result: list[str]) -> None:
        depth = len(self.variables)
        for node in nodes:
            if isinstance(node, parser.Text):
                result.append(node.text)
            elif isinstance(node, parser.Action):
                value = self._pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    result.append(show(value))
            elif isinstance(node, parser.Jump):
                raise _Break if node.kind == "break" else _Continue
            elif node.kind == "range":
                self._range(node, dot, result)
            else:
                self._branch(node, dot, result)
        del self.variables[depth:]

    def _branch(self, node: parser.Branch, dot: object, result: list[str]) -> None:
        depth = len(self.variables)
        value = self._pipeline(node.pipeline, dot)
        inner = value if node.kind == "with" else dot
        if truth(value):
            self._walk(node.body, inner, result)
        else:
            self._walk(node.otherwise, dot, result)
        del self.variables[depth:]

    def _range(self, node: parser.Branch, dot: object, result: list[str]) -> None:
        pipeline = node.pipeline
        value = self._evaluate(pipeline, dot)
        entries: list[tuple[object, object]]
        if isinstance(value, dict):
            entries = [(key, value[key]) for key in sorted(value)]
        elif isinstance(value, list):
            entries = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            entries = [(number, number) for number in range(value)]
        elif value is None:
            entries = []
        else:
            raise self._error(pipeline.text, f"range can't iterate over {show(value)}")
        if not entries:
            self._walk(node.otherwise, dot, result)
        for key, item in entries:
            depth = len(self.variables)
            names = pipeline.variables
            self._set(names, [key, item] if len(names) > 1 else [item], declared=pipeline.declared)
            try:
                self._walk(node.body, item, result)
            except _Continue:
                continue
            except _Break:
                break
            finally:
                del self.variables[depth:]

    def _set(self, names: list[str], values: list[object], *, declared: bool) -> None:
        for name, value in zip(names, values, strict=False):
            if declared:
                self.variables.append((name, value))
                continue
            for position in range(len(self.variables) - 1, -1, -1):
                if self.variables[position][0] == name:
                    self.variables[position] = (name, value)
                    break

    def _pipeline(self, pipeline: parser.Pipeline, dot: object) -> object:
        value = self._evaluate(pipeline, dot)
        if pipeline.variables:
            self._set(pipeline.variables, [value], declared=pipeline.declared)
        return value

    def _evaluate(self, pipeline: parser.Pipeline, dot: object) -> object:
        final: tuple[object, ...] = ()
        for command in pipeline.commands:
            final = (self._command(command, dot, final, pipeline.text),)
        return final[0]

    def _command(self, command: list[parser.Operand], dot: object, final: tuple[object, ...], text: str) -> object:
        first = command[0]
        if first.kind == "name":
            return self._call(first, command[1:], dot, final, text)
        arguments = [self._operand(operand, dot, text) for operand in command[1:]]
        arguments += final
        value = self._start(first, dot)
        for position, name in enumerate(first.fields):
            last = position == len(first.fields) - 1
            value = self._field(value, name, arguments if last else [], first)
        if arguments and not first.fields:
            raise self._error(text, f"can't give argument to non-function {text.split(maxsplit=1)[0]}")
        return value

    def _call(
        self,
        first: parser.Operand,
        rest: list[parser.Operand],
        dot: object,
        final: tuple[object, ...],
        text: str,
    ) -> object:
        name = str(first.value)
        if name in ("and", "or"):
            return self._short_circuit(name, rest, dot, final, text)
        arguments = [self._operand(operand, dot, text) for operand in rest] + list(final)
        try:
            value = self.functions[name](*arguments)
        except TypeError:
            raise self._error(text, f"wrong number of args for {name}: got {len(arguments)}") from None
        except TemplateError as error:
            raise self._error(text, str(error)) from None
        for field in first.fields:
            value = self._field(value, field, [], first)
        return value

    def _short_circuit(
        self, name: str, rest: list[parser.Operand], dot: object, final: tuple[object, ...], text: str
    ) -> object:
        value: object = None
        for operand in rest:
            value = self._operand(operand, dot, text)
            if truth(value) == (name == "or"):
                return value
        return final[0] if final else value

    def _operand(self, operand: parser.Operand, dot: object, text: str) -> object:
        if operand.kind == "name":
            return self._call(operand, [], dot, (), text)
        value = self._start(operand, dot)
        for name in operand.fields:
            value = self._field(value, name, [], operand)
        return value

    def _start(self, operand: parser.Operand, dot: object) -> object:
        if operand.kind == "dot":
            return dot
        if operand.kind == "variable":
            return next(value for name, value in reversed(self.variables) if name == operand.value)
        if operand.kind == "group":
            assert isinstance(operand.value, parser.Pipeline)
            return self._pipeline(operand.value, dot)
        return operand.value

    def _field(self, value: object, name: str, arguments: list[object], operand: parser.Operand) -> object:
        shown = "." + ".".join(operand.fields) if operand.kind == "dot" else f"{operand.value}"
        if isinstance(value, Row):
            if name in value.methods and len(arguments) == 1:
                return value.methods[name](str(arguments[0]))
            if name in value.fields and not arguments:
                return value.fields[name]()
            raise self._error(shown, f"can't evaluate field {name} in type *{value.type_}")
        if isinstance(value, Struct):
            try:
                return value.field(name)
            except KeyError:
                raise self._error(shown, f'map has no entry for key "{name}"') from None
        if isinstance(value, dict):
            if name in value:
                return value[name]
            raise self._error(shown, f'map has no entry for key "{name}"')
        if value is None:
            raise self._error(shown, f"nil pointer evaluating interface {{}}.{name}")
        raise self._error(shown, f"can't evaluate field {name} in type {kind(value)}")

    def _error(self, shown: str, reason: str) -> TemplateError:
        """The error with its place: Go counts bytes from the start of the line, at the last name of a field chain."""
        place = max(self.template.text.find(shown), 0)
        line = self.template.text.count("\n", 0, place) + 1
        column = place - (self.template.text.rfind("\n", 0, place) + 1)
        if shown.startswith("."):
            column += shown.rfind(".")
        return TemplateError(f'template: :{line}:{column}: executing "" at <{shown}>: {reason}')
