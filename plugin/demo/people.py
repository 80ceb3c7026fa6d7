"""The three people of the embedded host. Their password is their login; they exist on loopback only."""

from __future__ import annotations

import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoPerson:
    uid: str
    name: str
    language: str
    groups: tuple[str, ...]

    @property
    def email(self) -> str:
        return f"{self.uid}@example.org"


PEOPLE: dict[str, DemoPerson] = {
    person.uid: person
    for person in (
        DemoPerson("alice", "Alice Martin", "fr", ("admin", "achats")),
        DemoPerson("bob", "Bob Leroy", "en", ("direction",)),
        DemoPerson("carol", "Carol Nguyen", "fr", ("juridique",)),
    )
}


class Accounts:
    """What an administrator does to them: an account that is out of service, one that was deleted."""

    def __init__(self) -> None:
        self.disabled: set[str] = set()
        self.deleted: set[str] = set()


def password_fits(uid: str, password: str) -> bool:
    """True when the person exists and the password is the login, compared in constant time."""
    known = uid in PEOPLE
    return hmac.compare_digest(uid.encode(), password.encode()) and known
