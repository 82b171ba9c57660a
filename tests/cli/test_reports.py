"""`--report` of `verify` and `fsck`, and `mlstore report`."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET

import pytest
from tests.store.report.runner import obeyed

FILES = {
    "junit": "j.xml",
    "sarif": "s.sarif",
    "gitlab": "g.json",
    "markdown": "m.md",
    "html": "h.html",
    "json": "v.json",
}
HOSTILE = "x ##[add-mask]y %0A.csv"


@pytest.fixture
def changed(history):
    """A repository whose worktree differs from HEAD."""
    history.write("a.txt", "changed\n")
    return history


def test_several_reports_come_from_one_verification(changed):
    asked = [part for kind, name in FILES.items() for part in ("--report", f"{kind}=out/{name}")]
    plain = changed("verify", status=1)
    done = changed("verify", *asked, status=1)
    assert done.out == plain.out
    out = changed.root / "out"
    assert sorted(os.listdir(out)) == sorted(FILES.values())  # and no temporary file
    assert ET.parse(out / "j.xml").getroot().get("failures") == "1"
    assert json.loads((out / "s.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "modified"
    assert json.loads((out / "g.json").read_text())[0]["location"]["path"] == "a.txt"
    assert "❌" in (out / "m.md").read_text()
    assert (out / "h.html").read_text().startswith("<!doctype html>")
    assert json.loads((out / "v.json").read_text()) == changed("verify", "--json", status=1).json


def test_a_pipeline_that_verifies_has_reports_too(history):
    history("verify", "--report", "junit=j.xml", "--report", "sarif=s.json")
    assert ET.parse(history.root / "j.xml").getroot().get("failures") == "0"
    assert json.loads((history.root / "s.json").read_text())["runs"][0]["results"] == []


def test_files_are_meant_in_the_folder_of_the_user(changed):
    changed("verify", "--report", "json=here.json", cwd="data", status=1)
    assert (changed.root / "data/here.json").exists()


def test_on_stdout_there_is_the_report_and_nothing_else(changed):
    assert (
        changed("verify", "--report", "gitlab=-", "--report", "json=v.json", status=1).json[0]["severity"]
        == "major"
    )
    assert (changed.root / "v.json").exists()


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        (["junt=x.xml"], "'junt' is not a kind of report", "did you mean 'junit'?"),
        (["SARIF=x"], "'SARIF' is not a kind of report", "did you mean 'sarif'?"),
        (
            ["zzz"],
            "'zzz' is not a kind of report",
            "one of: junit, sarif, gitlab, markdown, html, json, github",
        ),
        (["junit"], "the report 'junit' needs a file", "'--report junit=FILE', or 'junit=-' for stdout"),
        (["junit="], "the report 'junit' needs a file", "'--report junit=FILE', or 'junit=-' for stdout"),
        (["github=x"], "the report 'github' takes no file", "it writes to stdout, and $GITHUB_STEP_SUMMARY"),
        (["json=a", "html=a"], "two reports cannot go to 'a'", "give each a file of its own"),
        (["json=.mlstore/refs/x"], "'.mlstore/refs/x' is inside of the store", "write the report elsewhere"),
    ],
)
def test_a_report_that_cannot_be_meant_is_refused_before_anything_is_verified(changed, asked, message, hint):
    done = changed("verify", *(part for one in asked for part in ("--report", one)), status=2)
    assert done.err.splitlines() == [f"error: {message}", f"hint: {hint}"]
    assert done.out == ""


def test_json_and_a_report_cannot_share_stdout(changed):
    assert "both want stdout" in changed("verify", "--json", "--report", "sarif=-", status=2).err


def test_a_report_that_cannot_be_written_is_said_after_the_verdict(changed):
    changed.write("folder/x", "")
    done = changed("verify", "--report", "junit=folder", "--report", "json=v.json", status=6)
    assert done.out.startswith("not verified:")
    assert done.err.startswith("error: a report was not written: ")
    assert (changed.root / "v.json").exists()  # the others are written all the same
    assert os.listdir(changed.root / "folder") == ["x"]
    done = changed("verify", "--json", "--report", "junit=folder", status=6)
    assert done.json["verdict"] == "modified"
    assert done.err.startswith("error: a report was not written: ")


def test_a_report_that_is_there_is_replaced_as_a_whole_or_stays(changed, monkeypatch):
    changed.write("j.xml", "old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert "no space left" in changed("verify", "--report", "junit=j.xml", status=6).err.lower()
    assert changed.read("j.xml") == "old"
    assert [name for name in os.listdir(changed.root) if name.startswith("file-")] == []
    changed("verify", "--report", "junit=j.xml", status=1)
    assert changed.read("j.xml").startswith("<?xml")


def test_a_pipe_is_written_to_and_not_replaced(changed):
    path = changed.root / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        changed("verify", "--report", "gitlab=pipe", status=1)
        assert json.loads(os.read(reader, 1 << 16))[0]["check_name"] == "mlstore/modified"
    finally:
        os.close(reader)
    assert path.is_fifo()


def test_a_link_is_followed(changed):
    changed.write("real.json", "")
    (changed.root / "link.json").symlink_to("real.json")
    changed("verify", "--report", "json=link.json", status=1)
    assert (changed.root / "link.json").is_symlink()
    assert json.loads(changed.read("real.json"))["verdict"] == "modified"


def test_github_gets_annotations_and_a_summary(changed, monkeypatch):
    summary = changed.write("summary.md", "before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    done = changed("verify", "--report", "github", status=1)
    assert done.lines[0].startswith("::stop-commands::")
    assert obeyed(done.lines) == ["error"]
    assert done.lines[-1].startswith("::error file=a.txt,line=1,title=mlstore%3A modified::")
    assert summary.read_text().startswith("before\n## ❌ mlstore: not verified")
    tokens = {changed("verify", "--report", "github", status=1).lines[0] for _ in range(2)}
    assert len(tokens) == 2


def test_a_summary_that_has_much_already_grows_no_further_than_it_may(changed, monkeypatch):
    summary = changed.write("summary.md", b"x" * ((1 << 20) - 300))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    changed("verify", "--report", "github", status=1)
    assert summary.stat().st_size <= 1 << 20
    assert summary.read_text().endswith("Other formats of this report hold all of it.\n")


def test_github_without_a_summary_file_is_fine(changed):
    assert obeyed(changed("verify", "--report", "github", status=1).lines) == ["error"]


def test_annotations_step_aside_when_stdout_is_taken(changed):
    done = changed("verify", "--json", "--report", "github", status=1)
    assert done.json["verdict"] == "modified"
    assert obeyed(done.err.splitlines()) == ["error"]


def test_a_hostile_file_name_forges_no_command(history):
    history.write(HOSTILE, "1\n")
    history.commit("hostile")
    history.write(HOSTILE, "2\n")
    bare = history("verify", status=1).lines
    assert "add-mask" in obeyed(bare)  # what is fenced off is a danger
    done = history("verify", "--report", "github", status=1)
    assert obeyed(done.lines) == ["error"]


def test_a_summary_that_cannot_be_written_is_said_after_the_verdict(changed, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(changed.root / "data"))
    done = changed("verify", "--report", "github", "--report", "json=v.json", status=6)
    assert obeyed(done.lines) == ["error"]
    assert (changed.root / "v.json").exists()


def test_places_are_those_that_the_project_sees(outside, monkeypatch):
    repo = type(outside)(outside.root / "project" / "ml")
    repo.root.mkdir(parents=True)
    repo("init", "-q")
    repo.commit("one", a_txt="1\n")
    repo.write("a.txt", "2\n")

    def place():
        return repo("verify", "--report", "gitlab=-", status=1).json[0]["location"]["path"]

    assert place() == "a.txt"
    monkeypatch.setenv("CI_PROJECT_DIR", str(outside.root))
    assert place() == "project/ml/a.txt"
    (outside.root / "project/.git").mkdir()
    assert place() == "ml/a.txt"


def test_fsck_has_reports_as_well(history):
    (history.root / ".mlstore/index").write_bytes(b"damaged")
    done = history(
        "fsck", "--report", "sarif=s.json", "--report", "html=h.html", "--report", "github", status=3
    )
    assert obeyed(done.lines) == ["error"]
    (result,) = json.loads(history.read("s.json"))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == ".mlstore/index"
    assert "The store is damaged" in history.read("h.html")


@pytest.mark.modules
def test_verify_without_reports_loads_none_of_it(history, spawn):
    code = "import sys; from mlstore_cli.main import main; main(sys.argv[1:]); print('MODULES', *sys.modules)"
    modules = set(spawn("-c", code, "verify", cwd=history.root).stdout.rpartition("MODULES")[2].split())
    assert "mlstore_cli.commands.verify" in modules
    assert not [
        name for name in modules if name.startswith("mlstore.report") or name == "mlstore_cli.reports"
    ]
    assert not modules & {"secrets", "xml.etree.ElementTree", "html", "difflib", "numpy"}


# `mlstore report`


def test_the_page_is_written_and_the_status_is_fine(changed):
    done = changed("report", "-o", "r.html")
    assert done.err == "wrote 'r.html': modified\n"
    assert "Not verified: modified" in re.sub("<[^>]*>", "", changed.read("r.html"))
    assert changed("report", "-q", "-o", "r.html").err == ""


def test_the_page_can_go_to_stdout_or_be_told_of_as_json(changed):
    assert changed("report", "-o", "-").out.startswith("<!doctype html>")
    assert changed("report", "-o", "r.html", "--json").json == {
        "schema": "mlstore.report/1", "path": "r.html", "ok": False, "verdict": "modified", "findings": 1
    }  # fmt: skip
    assert "both want stdout" in changed("report", "-o", "-", "--json", status=2).err


def test_with_exit_code_it_exits_as_verify_does(changed):
    changed("report", "-o", "r.html", "--exit-code", status=1)
    changed("report", "--no-worktree", "-o", "r.html", "--exit-code")


def test_it_needs_to_know_where_to(changed):
    assert "missing option '--output'" in changed("report", status=2).err


def test_against_shows_what_changed_inside(history):
    history("tag", "golden")
    history.commit("three", c_ini="[a]\nx = 1\n")
    history("report", "--against", "HEAD~1", "-o", "r.html")
    page = history.read("r.html")
    assert "c.ini" in page
    assert "HEAD" in page


def test_an_unknown_revision_is_no_page(history):
    history("report", "nowhere", "-o", "r.html", status=4)
    assert not (history.root / "r.html").exists()
