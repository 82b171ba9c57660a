"""Checked access to the fields of a decoded object: the right keys, the right types, or an error."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mlstore.errors import DecodeError
from mlstore.hashing import ObjectId, is_object_id
from mlstore.model.canonical import MAX_INTEGER


class Fields:
    """The keys of one JSON object, each taken once; ``done`` refuses what nobody asked for."""

    __slots__ = ("_rest", "_what")

    def __init__(self, value: Any, what: str) -> None:
        if not isinstance(value, dict):
            raise DecodeError(f"{what}: not a JSON object")
        self._rest = dict(value)
        self._what = what

    def error(self, text: str) -> DecodeError:
        """Give the error that says *text* of this object."""
        return DecodeError(f"{self._what}: {text}")

    def has(self, key: str) -> bool:
        """Whether *key* is there and not yet taken."""
        return key in self._rest

    def take(self, key: str) -> Any:
        """Give the raw value of *key*; it must be there."""
        try:
            return self._rest.pop(key)
        except KeyError:
            raise self.error(f"'{key}' is missing") from None

    def text(self, key: str) -> str:
        """Give *key* as a string."""
        value = self.take(key)
        if not isinstance(value, str):
            raise self.error(f"'{key}' is not a string")
        return value

    def one_of(self, key: str, allowed: Collection[str]) -> str:
        """Give *key* as one of the *allowed* words."""
        value = self.text(key)
        if value not in allowed:
            raise self.error(f"'{key}' is {value[:40]!r}, not one of {', '.join(sorted(allowed))}")
        return value

    def number(self, key: str) -> int:
        """Give *key* as an integer from 0 to 2^63-1."""
        value = self.take(key)
        if type(value) is not int or not 0 <= value <= MAX_INTEGER:
            raise self.error(f"'{key}' is not a size or count")
        return value

    def id(self, key: str) -> ObjectId:
        """Give *key* as an object id."""
        value = self.take(key)
        if not is_object_id(value):
            raise self.error(f"'{key}' is not an object id")
        return ObjectId(value)

    def optional_id(self, key: str) -> ObjectId | None:
        """Give *key* as an object id, or None where it is absent."""
        return self.id(key) if self.has(key) else None

    def ids(self, key: str) -> tuple[ObjectId, ...]:
        """Give *key* as a list of object ids."""
        value = self.take(key)
        if not isinstance(value, list) or not all(is_object_id(item) for item in value):
            raise self.error(f"'{key}' is not a list of object ids")
        return tuple(ObjectId(item) for item in value)

    def texts(self, key: str) -> tuple[str, ...]:
        """Give *key* as a list of strings."""
        value = self.take(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(f"'{key}' is not a list of strings")
        return tuple(value)

    def text_map(self, key: str) -> dict[str, str]:
        """Give *key* as an object whose values are strings."""
        value = self.take(key)
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self.error(f"'{key}' is not an object of strings")
        return value

    def id_map(self, key: str) -> dict[str, ObjectId]:
        """Give *key* as an object whose values are object ids."""
        value = self.take(key)
        if not isinstance(value, dict) or not all(is_object_id(item) for item in value.values()):
            raise self.error(f"'{key}' is not an object of object ids")
        return {name: ObjectId(item) for name, item in value.items()}

    def done(self) -> None:
        """Refuse keys that nobody took."""
        if self._rest:
            raise self.error(f"'{sorted(self._rest)[0][:40]}' is not a known field")
