"""The page in a real browser: it asks for nothing, complains of nothing, and works by key and on a phone."""

from __future__ import annotations

import pytest
from tests.browser import PROGRAM, Browser, Page
from tests.store.report.dossiers import PAGES
from tests.store.report.outcomes import TIME
from tests.store.verify.building import Pipeline

from mlstore.report import gather, outcome_of, render, render_page
from mlstore.verify import verify

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs chromium")

RAW = "a,kind\n" + "".join(f"{number * 0.5},{'xyz'[number % 3]}\n" for number in range(60))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The page of a pipeline whose configuration, tables and model changed."""
    folder = tmp_path_factory.mktemp("page")
    made = Pipeline(folder / "repo")
    made.generate(RAW, environment={"packages": {"numpy": "1.26"}})
    made.clean(RAW)
    golden = made.train()
    made.write("config.ini", (made.root / "config.ini").read_text().replace("rows = 1000", "rows = 2000"))
    made.generate(RAW + "99,z\n" * 20, environment={"packages": {"numpy": "2.0"}})
    made.clean(RAW + "99,z\n" * 20)
    made.train("model 2")
    outcome = outcome_of(verify(made.repo, against=golden), time=TIME)
    path = folder / "report.html"
    path.write_bytes(render("html", outcome, gather(made.repo, outcome)))
    return path


def test_the_harness_sees_what_a_page_does_wrong(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\"><p style='color:red'>x</p>"
        "<script>alert(1)</script>"
    )
    assert len(Page(browser, path).complaints) >= 2
    path.write_text("<img src='missing.png'><script>console.error('x')</script>")
    bad = Page(browser, path)
    assert [url.rpartition("/")[2] for url in bad.requests] == ["missing.png"]
    assert bad.complaints


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_complains_of_nothing_asks_for_nothing_and_fits(browser, page_file, width, dark):
    page = Page(browser, page_file, width=width, dark=dark)
    assert page.complaints == []
    assert page.requests == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    shown = "[...document.querySelectorAll('svg.graph')].filter(one => one.getBoundingClientRect().width)"
    assert page.evaluate(f"{shown}.length") == 1  # across on a wide page, down on a narrow one
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == ("rgb(15, 19, 25)" if dark else "rgb(245, 246, 248)")


def test_the_page_has_its_parts(browser, page_file):
    page = Page(browser, page_file)
    assert page.evaluate("[...document.querySelectorAll('main > section')].map(one => one.id)") == [
        "pipeline", "findings", "artifacts", "environments", "rules", "trust", "unchecked"
    ]  # fmt: skip
    assert (
        page.evaluate("document.querySelector('h1').innerText") == "Not verified: changed-input at generate"
    )
    assert page.evaluate("document.querySelectorAll('svg.graph.wide a').length") == 3
    assert page.evaluate("document.querySelectorAll('svg.graph.wide path.edge').length") == 2
    assert page.evaluate("[...document.querySelectorAll('.finding')].length") == 3
    paths = "[...document.querySelectorAll('.change h3')].map(one => one.innerText)"
    assert page.evaluate(paths) == ["config.ini", "data/raw.csv", "data/clean.csv", "model.joblib"]
    assert page.evaluate("document.querySelectorAll('#change-1 svg.chart').length") == 2
    assert "generate.rows" in page.evaluate("document.querySelector('#change-0').innerText")
    assert "numpy 1.26 -> 2.0" in page.evaluate("document.querySelector('#environments').innerText")


def test_it_reads_the_same_without_javascript(browser, page_file):
    page = Page(browser, page_file)
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("[...document.querySelectorAll('*')].some(one => [...one.attributes].some("
                         "attribute => attribute.name.startsWith('on')))") is False  # fmt: skip


def test_hostile_texts_make_no_element_and_run_nothing(browser, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(render_page(PAGES["hostile"]), encoding="utf-8")
    page = Page(browser, path, width=390)
    assert page.complaints == []
    assert page.requests == []
    assert page.evaluate("document.images.length + document.scripts.length") == 0
    assert "</script><img src=x onerror=alert(1)>" in page.evaluate(
        "document.querySelector('.finding h3').innerText"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_colours_are_switched_by_keyboard(browser, page_file):
    page = Page(browser, page_file)
    focus = "document.activeElement.id || document.activeElement.className"
    page.press("Tab")
    assert page.evaluate(focus) == "skip"
    page.press("Tab")
    assert page.evaluate(focus) == "theme-auto"
    page.press("ArrowRight")
    page.press("ArrowRight")
    assert page.evaluate(focus) == "theme-dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 25)"
    page.press("Tab")
    assert page.evaluate("document.activeElement.hash") == "#pipeline"


def test_consequences_are_hidden_by_keyboard(browser, page_file):
    page = Page(browser, page_file)
    visible = "[...document.querySelectorAll('.finding')].filter(one => one.offsetHeight).length"
    assert page.evaluate(visible) == 3
    page.evaluate("document.getElementById('causes').focus()")
    page.press("Space")
    assert page.evaluate(visible) == 1


def test_on_paper_nothing_stays_folded(browser, page_file):
    page = Page(browser, page_file, dark=True)
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.querySelector('nav').offsetHeight") == 0
    folded = (
        "[...document.querySelectorAll('details > :not(summary)')].filter(one => !one.offsetHeight).length"
    )
    assert page.evaluate("document.querySelectorAll('details').length") > 0
    assert page.evaluate(folded) == 0
