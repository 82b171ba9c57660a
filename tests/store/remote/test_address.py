"""What names another repository: folders of this machine and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlstore.errors import UsageError
from mlstore.remote import default_name, source_folder

BASE = Path("/base")


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("/srv/models", "/srv/models"),
        ("models", "/base/models"),
        ("../models", "/base/../models"),
        ("/srv/models/.mlstore", "/srv/models"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("FILE://localhost/srv/models", "/srv/models"),
        ("./-odd", "/base/-odd"),
        ("with:colon", "/base/with:colon"),
    ],
)
def test_a_path_or_file_url_names_a_folder(text: str, folder: str) -> None:
    assert str(source_folder(text, BASE)) == folder


@pytest.mark.parametrize(
    "text",
    [
        "-u",
        "--upload-pack=touch /tmp/x",
        "ssh://host/srv",
        "https://host/srv",
        "git://host/srv",
        "ext::sh -c true",
        "file://elsewhere/srv",
        "file:///srv?x=1",
        "file:///srv%00x",
        "file://",
        "s3://bucket/key",
    ],
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        source_folder(text, BASE)
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/srv/models", "models"),
        ("/srv/models/", "models"),
        ("../models/.mlstore", "models"),
        ("file:///srv/a%20b", "a b"),
    ],
)
def test_a_clone_is_called_as_its_source_is(text: str, name: str) -> None:
    assert default_name(text) == name


@pytest.mark.parametrize("text", ["/", "..", ".mlstore", "."])
def test_what_gives_no_name_asks_for_one(text: str) -> None:
    with pytest.raises(UsageError, match="gives no name"):
        default_name(text)
