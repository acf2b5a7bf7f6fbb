"""The formatter: a syntax tree, with the comments of its text, as lines with aligned columns.

What the author decides is kept: comments, the order of statements, single blank lines, and whether a role's body
stands on one line. Everything else has one spelling, so that formatting twice changes nothing. Neighbouring
statements of one kind share columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, takewhile
from typing import assert_never

from circuitdsl.actions import actions
from circuitdsl.components import kinds
from circuitdsl.language import tree as t
from circuitdsl.language.parse import parse
from circuitdsl.language.source import NOWHERE, Comment, Source, Span, normalised

WIDTH = 110
INDENT = "  "


def format_source(text: str, path: str = "text.circuit") -> str:
    """A specification in its normal form, with all its comments.

    >>> print(format_source("circuit a{model gpt2 task ioi role mover at END{9.6 9.9}expect accuracy>=90%}"), end="")
    circuit a {
      model gpt2
      task  ioi
      role mover at END { 9.6  9.9 }
      expect accuracy >= 90%
    }

    Raises:
        SpecError: if it does not parse.
    """
    source = Source(path, normalised(text))
    lines = _with_comments(list(_file(parse(source))), list(source.comments()), source)
    return _joined(lines)


def print_tree(tree: t.File) -> str:
    """A tree as text in normal form; without spans, blank lines stand between blocks only."""
    return _joined(list(_file(tree)))


# --- statements as single lines --------------------------------------------------------------------


_Header = t.Use | t.About | t.Cite | t.Model | t.Task | t.Dictionary
_Plain = _Header | t.Setting | t.Vary | t.Edge | t.Expect | t.ControlTask | t.Align | t.Action
"""What stands on a line, or several on one: all but what has a body."""


def statement_text(statement: t.StatedClaim | t.Action) -> str:
    """A statement on one line."""
    return " ".join(cell for cell in _cells(statement) if cell)


def claim_text(statement: t.StatedClaim) -> str:
    """What a statement claims, as a report quotes it: all of it but its label."""
    return statement_text(replace(statement, label=None))


def subject_text(statement: t.StatedClaim) -> str:
    """What a statement is about: its kind and its subject, without what is said of it."""
    if isinstance(statement, t.Expect):
        return f"expect {_measure(statement)}"
    return claim_text(replace(statement, judgement=None))


def place_text(place: t.Place) -> str:
    return f"{place.name}{place.offset:+d}" if place.offset else place.name


def at_text(place: t.Place | None) -> str:
    return f" at {place_text(place)}" if place else ""


def component_text(component: t.Component) -> str:
    return component.of + kinds()[component.rule].spelled(component.numbers)


def item_text(item: t.Item) -> str:
    return item.text if isinstance(item, t.Name) else component_text(item.component) + at_text(item.at)


def group_text(group: t.Group) -> str:
    items = [item_text(item) for item in group.items]
    braces = len(items) > 1 or any(isinstance(item, t.Member) and item.at for item in group.items)
    whole = "{ " + " ".join(items) + " }" if braces else items[0]
    return f"{whole}{'.' * bool(group.inputs)}{group.inputs}{' of group' * group.of_group}{at_text(group.at)}"


def argument_text(argument: t.Argument) -> str:
    match argument:
        case t.Words() | t.Number() | t.ReadAt():
            return argument.text
        case t.Place():
            return place_text(argument)
        case t.Group():
            return group_text(argument)
        case t.Logits():
            return "logits"
        case t.Arrow(left, right):
            return f"{argument_text(left)} -> {argument_text(right)}"
        case t.Alike(left, right):
            return f"{argument_text(left)} ~ {argument_text(right)}"
        case _:
            assert_never(argument)


def judgement_text(judgement: t.Judgement) -> str:
    match judgement:
        case t.AtLeast(op, value):
            return f"{op} {value.text}"
        case t.Between(low, high):
            return f"in {low.text} .. {high.text}"
        case t.Outside(low, high):
            return f"outside {low.text} .. {high.text}"
        case t.Direction(word):
            return word
        case t.Against(op, control):
            return f"{op} {control.text}"
        case _:
            assert_never(judgement)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _measure(expect: t.Expect) -> str:
    arguments = ", ".join(argument_text(argument) for argument in expect.arguments)
    measure = f"{expect.measure.text}({arguments})" if arguments else expect.measure.text
    return f"{measure} - baseline" if expect.minus_baseline else measure


def _task(task: t.Task) -> str:
    def argument(given: t.TaskArgument) -> str:
        value = quoted(given.value.value) if isinstance(given.value, t.Text) else given.value.text
        return f"{given.key.text}: {value}" if given.key else value

    arguments = ", ".join(argument(given) for given in task.arguments)
    return f"{task.name.text}({arguments})" if arguments else task.name.text


def _label(label: t.Name | None) -> tuple[str, ...]:
    return (f"as {label.text}",) if label else ()


def _setting(setting: t.Setting | t.Vary) -> tuple[str, ...]:
    if isinstance(setting, t.Vary):
        return ("vary", f"{setting.name.text}: " + ", ".join(value.text for value in setting.values))
    return (setting.name.text, " to ".join(value.text for value in setting.values))


def _piece(piece: t.Piece) -> str:
    """A part of an action's spelling."""
    match piece:
        case t.Place():
            return place_text(piece)
        case t.Number() | t.Name() | t.Words():
            return piece.text
        case t.Target(place, share):
            return f"{place_text(place)} by {share.text}"
        case _:
            assert_never(piece)


def _cells(statement: _Plain | t.Member) -> tuple[str, ...]:
    """The columns of a statement that fits a line; "" for an empty one."""
    match statement:
        case t.Use(path):
            return (f"use {quoted(path.value)}",)
        case t.About(text):
            return ("about", quoted(text.value))
        case t.Cite(text):
            return ("cite", quoted(text.value))
        case t.Model(name, is_quoted):
            return ("model", quoted(name.text) if is_quoted else name.text)
        case t.Task():
            return ("task", _task(statement))
        case t.Dictionary(name, point, layer, folder):
            return (f"dictionary {name.text}", f"at {point.text} {layer}", f"from {quoted(folder.value)}")
        case t.Setting() | t.Vary():
            return _setting(statement)
        case t.Edge(senders, receiver, judgement, absent, strict, label, against):
            verdict = ", ".join([*(["strict"] * strict), *([judgement_text(judgement)] if judgement else [])])
            last = (f" against {against.text}" if against else "") + (f" : {verdict}" if verdict else "")
            way = (f"{'no ' * absent}edge {group_text(senders)}", f"-> {argument_text(receiver)}{last}")
            return (*way, *_label(label))
        case t.Expect():
            claimed = (f"expect {_measure(statement)}", judgement_text(statement.judgement))
            return (*claimed, *_label(statement.label))
        case t.ControlTask(task, judgement, label):
            last = (f": {judgement_text(judgement)}",) if judgement else ()
            return (f"control task {_task(task)}", *last, *_label(label))
        case t.Align(pairs):
            return ("align", ", ".join(f"{left.text} ~ {right.text}" for left, right in pairs))
        case t.Action(word, nodes, parts):
            rest = actions()[word].spelled(parts, _piece)
            return (f"{word} {group_text(nodes)}", *(() if rest is None else (rest,)))
        case t.Member():
            return (item_text(statement),)
        case _:
            assert_never(statement)


# --- lines -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """A line to be printed. ``kind`` is "" for lines that share columns with no others."""

    depth: int
    cells: tuple[str, ...]
    span: Span = NOWHERE
    kind: str = ""
    comment: str = ""
    blank_before: bool = False
    inner: tuple[_Line, ...] = field(default=())  # how else it may be laid out: opening, content, closing


_KINDS: dict[type[t.Syntax], str] = {
    **dict.fromkeys((t.About, t.Cite, t.Model, t.Task), "header"),
    **dict.fromkeys((t.Setting, t.Vary), "setting"),
    t.Dictionary: "dictionary",
    t.Action: "action",
    t.Edge: "edge",
    t.Expect: "expect",
    t.ControlTask: "control",
}


def _file(file: t.File) -> Iterator[_Line]:
    for number, block in enumerate(file.blocks):
        together = number and isinstance(block, t.Use) and isinstance(file.blocks[number - 1], t.Use)
        first, *rest = _block(block)
        yield replace(first, blank_before=bool(number) and not together)
        yield from rest


def _block(block: t.Block) -> Iterator[_Line]:
    match block:
        case t.Use():
            yield _Line(0, _cells(block), block.span, "use")
        case t.Circuit(name, body):
            yield from _braces(0, f"circuit {name.text}", block.span, name.span, body)
        case t.Comparison(left, right, body):
            head = f"compare {left.text} with {right.text}"
            yield from _braces(0, head, block.span, right.span, body)
        case t.Intervention(name, on, body):
            head = f"intervention {name.text} on {on.text}"
            yield from _braces(0, head, block.span, on.span, body)
        case _:
            assert_never(block)


def _braces(
    depth: int, head: str, span: Span, last_of_head: Span, body: Sequence[_Plain | t.Method | t.Role | t.Repeat]
) -> Iterator[_Line]:
    """``head {``, the body one deeper, ``}``. The head's span ends with its last word."""
    yield _Line(depth, (f"{head} {{",), span.to(last_of_head))
    for item in body:
        yield from _statement(depth + 1, item)
    closing = Span(span.file, span.end_line, max(span.end_column - 1, 0), span.end_line, span.end_column)
    yield _Line(depth, ("}",), closing)


def _statement(depth: int, statement: _Plain | t.Method | t.Role | t.Repeat) -> Iterator[_Line]:
    match statement:
        case t.Method(settings):
            yield from _braces(depth, "method", statement.span, _word_at(statement.span, "method"), settings)
        case t.Role():
            yield _role(depth, statement)
        case t.Repeat(variable, low, high, body):
            head = f"for {variable.text} in {low.text} .. {high.text}"
            yield from _braces(depth, head, statement.span, high.span, body)
        case _:
            cells = _cells(statement)
            yield _Line(depth, cells, statement.span, _KINDS.get(type(statement), "") if len(cells) > 1 else "")


def _word_at(span: Span, word: str) -> Span:
    """The span of the word that a statement begins with."""
    return Span(span.file, span.line, span.column, span.line, span.column + len(word))


def _role(depth: int, role: t.Role) -> _Line:
    """A role on one line, with its other layout, over several lines, as ``inner``."""
    head = f"role {role.name.text}"
    place = at_text(role.at).strip()
    items = "  ".join(" ".join(cell for cell in _cells(item) if cell) for item in role.body)
    cells = (head, place, f"{{ {items} }}" if items else "{ }")
    end_of_head = role.at.span if role.at else role.name.span
    opening, *rest = _braces(depth, f"{head}{at_text(role.at)}", role.span, end_of_head, ())
    inner = (opening, *_rows(depth + 1, role.body), *rest)
    return _Line(depth, cells, role.span, "role", inner=inner)


def _rows(depth: int, body: Sequence[t.RoleItem]) -> Iterator[_Line]:
    """A body's rows: nodes as the author laid them out, ended by a ``cite``; ``expect`` on lines of their own."""
    row: list[t.RoleItem] = []

    def flush() -> Iterator[_Line]:
        if row:
            cells = tuple(" ".join(cell for cell in _cells(item) if cell) for item in row)
            yield _Line(depth, ("  ".join(cells),), row[0].span.to(row[-1].span))
            row.clear()

    for item in body:
        if isinstance(item, t.Expect):
            yield from flush()
            yield _Line(depth, _cells(item), item.span, "expect")
            continue
        width = sum(len(" ".join(_cells(other))) + 2 for other in [*row, item]) + depth * len(INDENT)
        if row and (row[-1].span.end_line != item.span.line or isinstance(row[-1], t.Cite) or width > WIDTH):
            yield from flush()
        row.append(item)
    yield from flush()


# --- comments, blank lines, columns ----------------------------------------------------------------


def _with_comments(lines: list[_Line], comments: list[Comment], source: Source) -> list[_Line]:
    """The lines with their comments, and with the blank lines of the source."""
    placed: list[_Line] = []
    pending = deque(comments)

    def place(line: _Line) -> None:
        start, end = (line.span.line, line.span.column), (line.span.end_line, line.span.end_column)
        while pending and (pending[0].line, pending[0].column) < end:
            comment = pending.popleft()
            last = placed[-1] if placed else None
            before = (comment.line, comment.column) < start
            if before and last and last.span.end_line == comment.line and not last.comment:
                placed[-1] = replace(last, comment=comment.text)
                continue
            depth = line.depth + (line.cells == ("}",))
            spot = Span(source.path, comment.line, comment.column, comment.line, comment.column)
            placed.append(_Line(depth, (comment.text,), spot))
        placed.append(line)

    for line in lines:
        inside = _any_within(pending, line.span)
        spread = line.inner and line.span.line != line.span.end_line
        for part in line.inner if line.inner and (inside or spread) else (line,):
            place(part)
    end = len(source.lines) + 1
    place(_Line(0, (), Span(source.path, end, 1, end, 1)))
    return _blank_lines(placed[:-1], source)


def _any_within(comments: Iterable[Comment], span: Span) -> bool:
    """Whether a comment, of some in order, stands within a span."""
    spots = ((comment.line, comment.column) for comment in comments)
    until = takewhile(lambda spot: spot < (span.end_line, span.end_column), spots)
    return any(spot > (span.line, span.column) for spot in until)


def _blank_lines(lines: list[_Line], source: Source) -> list[_Line]:
    """A blank line wherever the source has some before a line, but none after ``{`` or before ``}``."""
    spaced: list[_Line] = []
    for line in lines:
        above = line.span.line - 2
        blank = 0 <= above < len(source.lines) and not source.lines[above].strip()
        keep = (blank or line.blank_before) and not _opens(spaced[-1] if spaced else None) and line.cells != ("}",)
        spaced.append(replace(line, blank_before=keep))
    return _blocks_apart(spaced)


def _blocks_apart(lines: list[_Line]) -> list[_Line]:
    """The blank line between two blocks goes before the comments that stand right above the second."""
    result = list(lines)
    for number, line in enumerate(lines):
        first = number
        while line.blank_before and first and result[first - 1].cells[0].startswith("#"):
            if result[first - 1].depth != line.depth or _gap(result[first - 1], result[first]):
                break
            first -= 1
        if first != number:
            result[number] = replace(result[number], blank_before=False)
            opens = _opens(result[first - 1] if first else None)
            result[first] = replace(result[first], blank_before=not opens)
    return result


def _opens(above: _Line | None) -> bool:
    """Whether what stands under this line is the first of its block, or without one of the file."""
    return above is None or (above.cells[-1].endswith("{") and not above.cells[0].startswith("#"))


def _gap(upper: _Line, lower: _Line) -> bool:
    return lower.span.line - upper.span.end_line > 1


def _joined(lines: list[_Line]) -> str:
    lines = [part for line in lines for part in _broken(line)]
    printed: list[str] = []
    texts = _aligned(lines)
    comments = _comment_columns(lines, texts)
    for line, text, column in zip(lines, texts, comments, strict=True):
        if line.blank_before and printed:
            printed.append("")
        printed.append(f"{text.ljust(column)}{line.comment}".rstrip())
    return "\n".join(printed) + "\n" if printed else ""


def _broken(line: _Line) -> tuple[_Line, ...]:
    """A role that is too long for a line becomes several."""
    if not line.inner or len(_indented(line, " ".join(cell for cell in line.cells if cell))) <= WIDTH:
        return (line,)
    first, *rest, last = line.inner
    first = replace(first, blank_before=line.blank_before)
    return (first, *rest, replace(last, comment=line.comment))


def _indented(line: _Line, text: str) -> str:
    return INDENT * line.depth + text


def _aligned(lines: list[_Line]) -> list[str]:
    texts: list[str] = []
    for (kind, _, _), members in groupby(_numbered(lines), key=lambda entry: entry[0]):
        run = [line for _, line in members]
        if not kind:
            texts += [_indented(line, " ".join(line.cells)) for line in run]
            continue
        columns = max(len(line.cells) for line in run)
        widths = [max(len(_cell(line, column)) for line in run) for column in range(columns)]
        for line in run:
            cells = [_cell(line, column).ljust(width) for column, width in enumerate(widths) if width]
            texts.append(_indented(line, " ".join(cells).rstrip()))
    return texts


def _numbered(lines: list[_Line]) -> Iterator[tuple[tuple[str, int, int], _Line]]:
    """Each line with the key of its run: neighbours of one kind and depth, no blank line between."""
    run = 0
    for line in lines:
        run += line.blank_before
        yield (line.kind, line.depth, run), line


def _cell(line: _Line, column: int) -> str:
    return line.cells[column] if column < len(line.cells) else ""


def _comment_columns(lines: list[_Line], texts: list[str]) -> list[int]:
    """The column of each line's comment: neighbouring comments stand under each other."""
    columns = [0] * len(lines)
    for has_comment, members in groupby(range(len(lines)), key=lambda n: (bool(lines[n].comment), lines[n].depth)):
        run = list(members)
        for number in run if has_comment[0] else ():
            columns[number] = max(len(texts[member]) for member in run) + 2
    return columns
