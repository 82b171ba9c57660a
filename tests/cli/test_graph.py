from __future__ import annotations

import pytest

from mlstore_cli.views.graph import Graph


def draw(history: str, lines: int = 1) -> str:
    """Draw a history like 'm:b,f f:a b:a a:' with as many text lines a commit."""
    graph = Graph()
    rows: list[str] = []
    for word in history.split():
        node, _, parents = word.partition(":")
        text = [node, *[f"{node}{number}" for number in range(1, lines)]]
        rows += graph.add(node, parents.split(",") if parents else [], text)
    return "\n".join(rows)


PICTURES = {
    "a line": ("c:b b:a a:", "* c\n* b\n* a"),
    "a merge": ("m:b,f f:a b:a a:", "*   m\n|\\\n| * f\n* | b\n|/\n* a"),
    "two tips": ("x:a y:a a:", "* x\n| * y\n|/\n* a"),
    "unrelated roots": ("x: y:z z:", "* x\n* y\n* z"),
    "a root beside a line": ("x:a r: a:", "* x\n| * r\n* a"),
    "a root left of a line": ("x:r y:a r: a:", "* x\n| * y\n* | r\n /\n* a"),
    "a merge back": ("f:e,m e:a m:a a:", "*   f\n|\\\n* | e\n| * m\n|/\n* a"),
    "criss-cross": (
        "t:p,q q:x,y p:y,x x:a y:a a:",
        "*   t\n|\\\n| *   q\n| |\\\n* | | p\n|\\| |\n|/| /\n| |/\n",
    ),
    "octopus": (
        "m:a,b,c c:r b:r a:r r:",
        "*     m\n|\\\n| |\\\n| | * c\n| * | b\n| |/\n* | a\n|/\n* r",
    ),
}


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "criss-cross"])
def test_graph_draws(name: str) -> None:
    history, picture = PICTURES[name]
    assert draw(history) == picture


def test_graph_puts_the_text_beside_its_commit() -> None:
    assert draw("m:b,f f:a b:a a:", lines=3) == (
        "*   m\n|\\  m1\n| | m2\n| * f\n| | f1\n| | f2\n* | b\n| | b1\n| | b2\n|/\n* a\n  a1\n  a2"
    )


def test_every_line_leads_to_a_parent_in_a_criss_cross() -> None:
    picture = draw("t:p,q q:x,y p:y,x x:a y:a a:")
    assert [line.split()[-1] for line in picture.splitlines() if "*" in line] == list("tqpxya")
    assert picture.endswith("|/\n* a")
