"""What is signed: the exact canonical bytes of the object without its signature.

The namespace stands inside of the signature, so that one made for git, for a file, or for the other kind of
object counts for nothing here.
"""

from __future__ import annotations

from dataclasses import replace

from mlstore.model import Commit, Tag, encode_commit, encode_tag

COMMIT_NAMESPACE = "mlstore.commit.v1"
TAG_NAMESPACE = "mlstore.tag.v1"
PROBE_NAMESPACE = "mlstore.probe.v1"


def commit_payload(commit: Commit) -> bytes:
    """Give the bytes that a signature of *commit* covers."""
    return encode_commit(replace(commit, signature=None))


def tag_payload(tag: Tag) -> bytes:
    """Give the bytes that a signature of *tag* covers."""
    return encode_tag(replace(tag, signature=None))
