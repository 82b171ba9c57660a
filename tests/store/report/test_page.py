"""The page: whole, inert, and nothing in it that is not escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.store.report.dossiers import PAGES, dossier
from tests.store.report.outcomes import damaged_store, ordinary, sound

from mlstore.report.dossier import Dossier
from mlstore.report.markup import prose
from mlstore.report.page import render_page


class Reader(HTMLParser):
    """Notes elements, attributes, ids and whether every element is closed in its order."""

    VOID = frozenset({"meta", "input", "br", "img", "link"})
    SHAPES = frozenset({"path", "rect", "line", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.styles = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["style"]:
            self.styles += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("name", PAGES)
def test_it_has_no_script_and_loads_nothing(name):
    reader = read(render_page(PAGES[name]))
    assert not {"script", "img", "link", "iframe", "object", "embed", "base", "form"} & set(reader.tags)
    for tag, attribute, value in reader.attributes:
        assert not attribute.startswith("on"), (tag, attribute)
        assert attribute not in ("style", "src", "srcset", "action"), (tag, attribute)
        if attribute == "href":
            assert re.fullmatch(r"#[a-z]+(-[0-9a-z]+)?", value), value
    assert "url(" not in reader.styles
    assert "@import" not in reader.styles


@pytest.mark.parametrize("name", PAGES)
def test_its_policy_allows_its_own_style_sheet_and_nothing_else(name):
    reader = read(render_page(PAGES[name]))
    (content,) = [value for _, name, value in reader.attributes if name == "content" and "-src " in value]
    digest = base64.b64encode(hashlib.sha256(reader.styles.encode()).digest()).decode()
    assert content == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere_and_every_id_is_there_once(name):
    reader = read(render_page(PAGES[name]))
    ids = [value for _, attribute, value in reader.attributes if attribute == "id"]
    assert len(set(ids)) == len(ids)
    links = {value.removeprefix("#") for _, attribute, value in reader.attributes if attribute == "href"}
    assert links <= set(ids)


def test_hostile_texts_are_shown_and_do_nothing():
    page = render_page(PAGES["hostile"])
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    for harm in ("<img", "<script", "\u202e", "\u2066", "\x1b", "\x00"):
        assert harm not in page
    assert "\\u202egnp.\\u2066" in page


def test_each_finding_is_a_part_and_leads_to_its_stage():
    outcome = ordinary()
    page = render_page(Dossier(outcome))
    for number, finding in enumerate(outcome.findings, 1):
        part = page.partition(f'id="finding-{number}"')[2].partition("</article>")[0]
        assert finding.kind in part
        if finding.stage:
            assert '<a href="#stage-' in part
    assert page.count('<article class="panel finding') == len(outcome.findings)


def test_an_arrow_is_not_broken_where_a_line_is_narrow():
    assert prose("mse 2.09 -> 2.07 in 'a -> b'") == (
        'mse 2.09 <span class="whole">-&gt;</span> 2.07 in <code><bdi>a -&gt; b</bdi></code>'
    )


def test_a_verdict_is_told_by_word_and_sign_and_not_by_colour_alone():
    page = render_page(dossier(ordinary()))
    graph = page.partition('<svg class="graph wide')[2].partition("</a></svg>")[0]
    assert graph.count('<svg class="icon"') == 4
    for row in ordinary().stages:
        assert f">{row.verdict}</text>" in graph
    assert ">error</span>" in page
    assert "golden (wide, outlined)" in page


def test_the_graph_has_the_stages_and_their_edges():
    page = render_page(dossier(ordinary()))
    assert page.count('<path class="edge golden"') == 2 * 3  # once for wide pages, once for narrow ones
    assert "clean reads what fetch writes (only in the golden pipeline)" in page


def test_bars_are_shares_and_are_told_in_words_too():
    page = render_page(dossier(ordinary()))
    chart = page.partition('<svg class="chart"')[2].partition("</svg>")[0]
    # Heights relative to the largest share, 3 of 4: 98 units; 1 of 5 is 26.13 and 3 of 5 is 78.4.
    assert [float(found) for found in re.findall(r'class="g-old"[^>]*height="([0-9.]+)"', chart)] == [
        98.0,
        32.67,
    ]
    assert [float(found) for found in re.findall(r'class="g-new"[^>]*height="([0-9.]+)"', chart)] == [
        26.13,
        78.4,
    ]
    assert "most golden values 0 to 1, current 1 to 2" in chart
    assert "a plain text: 33% golden, 50% current" in page


def test_what_was_not_looked_at_is_said():
    page = render_page(dossier(ordinary()))
    part = page.partition('<section id="unchecked"')[2]
    assert "blobs of earlier commits only" in part
    assert "a plain text" in part
    assert "Nothing was left out" in render_page(Dossier(replace(sound(), skipped={})))


def test_the_rules_in_force_and_what_is_trusted_are_shown():
    page = render_page(dossier(ordinary()))
    rules = page.partition('<section id="rules"')[2].partition("</section>")[0]
    assert "mlstore.toml of the golden commit (4444444444)" in rules
    assert "close (rtol 1e-09, on a plain text, keys a plain text), used 2 times" in rules
    trusted = page.partition('<section id="trust"')[2].partition("</section>")[0]
    assert "<b>lock</b>: MATCH" in trusted
    assert "<b>tag golden</b>: UNSIGNED" in trusted
    assert '<section id="rules"' not in render_page(Dossier(ordinary()))


def test_of_very_many_findings_some_are_shown_and_the_rest_is_counted():
    outcome = replace(ordinary(), findings=ordinary().findings[1:2] * 700)
    page = render_page(Dossier(outcome))
    assert page.count('<article class="panel finding') == 500
    assert "200 more findings" in page


def test_a_sound_pipeline_and_a_damaged_store_have_pages_too():
    assert "<h1>Verified</h1>" in render_page(Dossier(sound()))
    assert "nothing found" in render_page(Dossier(sound()))
    page = render_page(Dossier(damaged_store()))
    assert "<h1>The store is damaged: 3 errors</h1>" in page
    assert '<section id="pipeline"' not in page
