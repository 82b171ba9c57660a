"""The page's style sheet. There is no script: what can be switched is switched by inputs and selectors."""

from __future__ import annotations

import base64
import hashlib

_LIGHT = {
    "page": "#f5f6f8",
    "panel": "#ffffff",
    "sunken": "#f0f2f5",
    "text": "#19212c",
    "muted": "#566171",
    "line": "#d9dee6",
    "link": "#1f55c4",
    "good": "#13713f",
    "good-soft": "#e3f4ea",
    "warn": "#8a5a00",
    "warn-soft": "#fdf1cf",
    "bad": "#b3202a",
    "bad-soft": "#fce8e8",
    "note": "#1f55c4",
    "note-soft": "#e7eefc",
    "golden": "#a86a00",
    "golden-soft": "#f3d9a4",
    "current": "#2f66d4",
}
_DARK = {
    "page": "#0f1319",
    "panel": "#171d26",
    "sunken": "#1e2530",
    "text": "#e5e9f0",
    "muted": "#9ca8b8",
    "line": "#2e3744",
    "link": "#86adff",
    "good": "#5fd08f",
    "good-soft": "#12301f",
    "warn": "#e6b648",
    "warn-soft": "#342a0e",
    "bad": "#ff8585",
    "bad-soft": "#3c191c",
    "note": "#86adff",
    "note-soft": "#18253f",
    "golden": "#e6b648",
    "golden-soft": "#6b531b",
    "current": "#5b8cf0",
}


def _palette(colours: dict[str, str], scheme: str) -> str:
    return f"color-scheme:{scheme};" + "".join(f"--{name}:{value};" for name, value in colours.items())


_RULES = """
* { box-sizing:border-box }
html { scroll-behavior:smooth; scroll-padding-top:3.5rem; -webkit-text-size-adjust:100% }
@media (prefers-reduced-motion:reduce) {
  html { scroll-behavior:auto }
}
body {
  margin:0; background:var(--page); color:var(--text);
  font:1rem/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",Arial,sans-serif;
  overflow-wrap:anywhere;
}
code,.mono {
  font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace; font-size:.9em;
}
a { color:var(--link); text-underline-offset:.15em }
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible,input:focus-visible+label {
  outline:3px solid var(--link); outline-offset:2px; border-radius:6px;
}
h1,h2,h3,h4 { line-height:1.25; margin:0; font-weight:650; text-wrap:balance }
h1 { font-size:1.75rem }
h2 { font-size:1.3rem; margin:2.6rem 0 .9rem }
h3 { font-size:1.05rem }
h4 { font-size:.95rem }
p { margin:.4rem 0 }
.wrap { max-width:76rem; margin:0 auto; padding:0 1.5rem }
.skip { position:absolute; left:-999px }
.skip:focus { left:1rem; top:1rem; background:var(--panel); padding:.5rem 1rem; z-index:9 }
.bar { display:flex; align-items:center; justify-content:space-between; gap:1rem; padding:1rem 0 }
.brand { font-weight:700; letter-spacing:-.01em }
.brand span { color:var(--muted); font-weight:400; margin-left:.6rem }
.theme {
  border:1px solid var(--line); border-radius:999px; padding:2px; margin:0; display:flex;
  background:var(--panel);
}
.theme legend,.hidden {
  position:absolute; width:1px; height:1px; overflow:hidden; clip-path:inset(50%); white-space:nowrap;
}
.theme input,.filter input { position:absolute; opacity:0; width:1px; height:1px }
.theme label {
  padding:.2rem .8rem; border-radius:999px; font-size:.85rem; color:var(--muted); cursor:pointer;
}
.theme input:checked+label { background:var(--sunken); color:var(--text); font-weight:600 }
.verdict {
  border:1px solid; border-left-width:8px; border-radius:12px; padding:1.4rem 1.6rem; display:grid;
  grid-template-columns:auto 1fr; gap:.2rem 1.1rem; align-items:center;
}
.verdict .icon { grid-row:span 2; width:3rem; height:3rem }
.verdict p { margin:0; color:var(--text) }
.verdict.good { background:var(--good-soft); border-color:var(--good) }
.verdict.good h1,.verdict.good .icon { color:var(--good) }
.verdict.bad { background:var(--bad-soft); border-color:var(--bad) }
.verdict.bad h1,.verdict.bad .icon { color:var(--bad) }
.sums {
  display:flex; flex-wrap:wrap; gap:.5rem 2rem; margin:1rem 0 0; color:var(--muted); font-size:.92rem;
}
.sums b { color:var(--text) }
nav {
  position:sticky; top:0; z-index:5; background:var(--page); border-bottom:1px solid var(--line);
  margin-top:1.4rem;
}
nav ul {
  list-style:none; display:flex; gap:.3rem; padding:.5rem 0; margin:0; overflow-x:auto;
  scrollbar-width:thin;
}
nav a {
  display:block; padding:.25rem .7rem; border-radius:8px; white-space:nowrap; text-decoration:none;
  color:var(--text); font-size:.92rem;
}
nav a:hover { background:var(--sunken) }
nav .n { color:var(--muted); font-variant-numeric:tabular-nums; margin-left:.35em }
.panel {
  background:var(--panel); border:1px solid var(--line); border-radius:12px; padding:1.1rem 1.3rem;
  margin:0 0 1rem;
}
.panel>:first-child { margin-top:0 }
.panel>:last-child { margin-bottom:0 }
.scroll { overflow-x:auto; scrollbar-width:thin; position:relative }
table { border-collapse:collapse; width:100%; font-size:.92rem; overflow-wrap:normal }
th,td { text-align:left; padding:.45rem .8rem; border-bottom:1px solid var(--line); vertical-align:top }
th:first-child,td:first-child { padding-left:0 }
th:last-child,td:last-child { padding-right:0 }
tr:last-child>td,tr:last-child>th { border-bottom:0 }
thead th { color:var(--muted); font-weight:600; font-size:.82rem; white-space:nowrap }
tbody th { font-weight:600 }
td.num { text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap }
th.num { text-align:right }
td code { white-space:pre-wrap }
.cells td { max-width:26rem }
.cells code { overflow-wrap:break-word }
.cells td,.cells th { padding-block:.3rem }
.badge {
  display:inline-flex; align-items:center; gap:.35em; border-radius:1rem; max-width:100%;
  padding:.08rem .6rem;
  font-size:.82rem; font-weight:600; border:1px solid currentColor;
}
td .badge, .whole { white-space:nowrap }
.badge svg { width:.95em; height:.95em; flex:none }
.good { color:var(--good) }
.warn { color:var(--warn) }
.bad { color:var(--bad) }
.note { color:var(--note) }
.badge.good { background:var(--good-soft) }
.badge.warn { background:var(--warn-soft) }
.badge.bad { background:var(--bad-soft) }
.badge.note { background:var(--note-soft) }
.badge.plain { color:var(--muted); background:var(--sunken); border-color:var(--line) }
.finding { border-left:6px solid var(--line) }
.finding.bad { border-left-color:var(--bad) }
.finding.warn { border-left-color:var(--warn) }
.finding.note { border-left-color:var(--note) }
.finding,.change { color:var(--text) }
.finding header,.change header {
  display:flex; flex-wrap:wrap; gap:.4rem .6rem; align-items:center; margin-bottom:.5rem;
}
.finding h3,.change h3 { flex:1 1 100% }
.finding.follows { margin-left:1.6rem; padding-block:.7rem }
.where { color:var(--muted); font-size:.9rem; margin-left:auto }
dl.facts {
  display:grid; grid-template-columns:6.5rem 1fr; gap:.25rem 1rem; margin:.6rem 0 0; font-size:.93rem;
}
dl.facts dt { color:var(--muted) }
dl.facts dd { margin:0; min-width:0 }
dl.facts .cause { font-weight:600 }
.hint {
  background:var(--sunken); border-radius:8px; padding:.45rem .8rem; margin-top:.8rem; font-size:.93rem;
}
.summary { font-size:1rem }
.muted { color:var(--muted) }
.small { font-size:.88rem }
.legend {
  display:flex; flex-wrap:wrap; gap:.3rem 1.2rem; color:var(--muted); font-size:.86rem;
  align-items:center; margin:.7rem 0 0;
}
.legend svg { width:1.6em; height:.9em; vertical-align:-.05em; margin-right:.4em }
.columns {
  display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr)); gap:1rem;
  margin:1rem 0;
}
figure { margin:0; border:1px solid var(--line); border-radius:10px; padding:.9rem 1rem; min-width:0 }
figcaption { display:flex; flex-wrap:wrap; gap:.3rem .6rem; align-items:center; margin-bottom:.5rem }
figcaption b { font-weight:650 }
figure table { font-size:.84rem; margin-top:.6rem }
figure th,figure td { padding:.2rem .5rem }
svg.chart { display:block; width:100%; height:auto; font:10px system-ui,sans-serif }
svg text { fill:var(--text) }
svg .axis { stroke:var(--line); stroke-width:1 }
svg .tick { fill:var(--muted); font-size:10px }
.g-old { fill:var(--golden-soft); stroke:var(--golden); stroke-width:1 }
.g-new { fill:var(--current); fill-opacity:.72; stroke:none }
.k-old { fill:var(--golden-soft); stroke:var(--golden); stroke-width:1.5 }
.k-new { fill:var(--current); fill-opacity:.8 }
svg.graph { display:block; margin:0 auto }
svg.fit { max-width:100%; height:auto }
svg.graph text { font:14px system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif }
svg.graph .name { font-weight:650 }
svg.graph .sub { font-size:12px }
svg.graph a { text-decoration:none }
svg.graph a:focus-visible { outline:none }
svg.graph .box { fill:var(--panel); stroke:var(--line); stroke-width:1.5 }
svg.graph a:hover .box,svg.graph a:focus-visible .box { stroke-width:3.5 }
svg.graph .edge { fill:none; stroke:var(--muted); stroke-width:1.6 }
svg.graph .edge.golden { stroke-dasharray:6 5 }
svg.graph .edge.current { stroke-width:3 }
svg.graph .tip { fill:var(--muted) }
svg.graph .good .box { stroke:var(--good); fill:var(--good-soft) }
svg.graph .good .sub { fill:var(--good) }
svg.graph .warn .box { stroke:var(--warn); fill:var(--warn-soft) }
svg.graph .warn .sub { fill:var(--warn) }
svg.graph .bad .box { stroke:var(--bad); fill:var(--bad-soft) }
svg.graph .bad .sub { fill:var(--bad) }
svg.graph .gone .box { stroke-dasharray:6 5; fill:var(--panel) }
svg.graph .icon { stroke:currentColor; color:inherit }
svg.graph .good { color:var(--good) }
svg.graph .warn { color:var(--warn) }
svg.graph .bad { color:var(--bad) }
.icon { fill:none; stroke:currentColor; stroke-width:2.2; stroke-linecap:round; stroke-linejoin:round }
svg.tall { display:none }
ul.plain { list-style:none; padding:0; margin:0 }
ul.plain li { padding:.35rem 0; border-bottom:1px solid var(--line) }
ul.plain li:last-child { border:0 }
details { margin:.8rem 0 0 }
summary { cursor:pointer; color:var(--link) }
.filter { margin:-.3rem 0 .9rem }
.filter label {
  cursor:pointer; border:1px solid var(--line); background:var(--panel); border-radius:999px;
  padding:.2rem .8rem; font-size:.88rem; display:inline-block;
}
.filter .tick-box {
  display:inline-block; width:.9em; height:.9em; border:2px solid var(--muted); border-radius:3px;
  margin-right:.5em; vertical-align:-.1em;
}
.filter input:checked+label .tick-box {
  background:var(--link); border-color:var(--link); box-shadow:inset 0 0 0 2px var(--panel);
}
body:has(#causes:checked) .aside { display:none }
footer { color:var(--muted); font-size:.86rem; padding:2.5rem 0 3rem }
@media (max-width:46rem) {
  .wrap { padding:0 1rem }
  h1 { font-size:1.35rem }
  .brand span { display:none }
  .verdict { padding:1rem; gap:.3rem .8rem }
  .verdict .icon { width:2.2rem; height:2.2rem; grid-row:1 }
  .verdict p { grid-column:1/-1 }
  svg.wide { display:none }
  svg.tall { display:block }
  .panel { padding:.9rem 1rem }
  .where { margin-left:0 }
  dl.facts { grid-template-columns:1fr; gap:0 }
  dl.facts dd { margin-bottom:.5rem }
  .finding.follows { margin-left:.8rem }
  td,th { padding:.4rem .55rem }
}
@media print {
  :root { LIGHT }
  html { font-size:11px }
  body { background:#fff }
  nav,.theme,.filter,.skip,svg.tall { display:none }
  svg.wide { display:block; max-width:100%; height:auto }
  .panel,figure,.verdict { break-inside:avoid; box-shadow:none }
  .scroll { overflow:visible }
  details::details-content { content-visibility:visible; block-size:auto }
  * { print-color-adjust:exact; -webkit-print-color-adjust:exact }
}
"""


def style_sheet() -> str:
    """Give the whole style sheet: colours by the system's wish, or by the one that is chosen on the page."""
    light, dark = _palette(_LIGHT, "light"), _palette(_DARK, "dark")
    colours = f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    chosen = f":root:has(#theme-light:checked){{{light}}}:root:has(#theme-dark:checked){{{dark}}}"
    return colours + chosen + " ".join(_RULES.replace("LIGHT", light).split())


def policy(style: str) -> str:
    """Give the content security policy of the page: this style sheet, and nothing else from anywhere."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
