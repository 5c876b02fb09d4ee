"""Clauses 8: the remote token. Not for: who may have which (`parts.py`)."""

import threading
from typing import Any

from adapters.base import Adapter
from adapters.conformance.world import Clauses, World, member, read

MANY = 20


class Tokens(Clauses):
    """Skipped where there is no remote side."""

    def test_token_is_kept(self, crm: Adapter, remote: World) -> None:
        """8.1 One token serves many calls and many adapters that share a token cache."""
        made = member(crm, given_name="Ann")
        before = remote.token_calls()
        other = remote.adapter()
        for _ in range(3):
            read(other, made, "given_name")
        other.close()
        assert remote.token_calls() == before

    def test_refused_token(self, crm: Adapter, remote: World) -> None:
        """8.2 A token that the CRM refuses is replaced once, and the caller sees nothing of it."""
        made = member(crm, given_name="Ann")
        before = remote.token_calls()
        remote.expire_tokens()
        assert read(crm, made, "given_name") == {"given_name": "Ann"}
        remote.expire_tokens()
        crm.update("member", made.id, {"given_name": "Bob"}, made.version)
        assert remote.token_calls() == before + 2

    def test_refused_to_many(self, crm: Adapter, remote: World) -> None:
        """8.3 However many find the token refused at once, one of them asks for another."""
        made = member(crm, given_name="Ann")
        crms = [remote.adapter(read_timeout=15.0) for _ in range(MANY)]
        for each in crms:
            read(each, made, "given_name")
        before = remote.token_calls()
        remote.expire_tokens()
        found: list[Any] = []

        def ask(each: Adapter) -> None:
            found.append(read(each, made, "given_name"))

        threads = [threading.Thread(target=ask, args=(each,)) for each in crms]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in crms:
            each.close()
        assert found == [{"given_name": "Ann"}] * MANY
        assert remote.token_calls() == before + 1
