"""A session's tokens, kept fresh: one refresh at a time for a session, however many calls wait for
it. Not for: cookies, or what the tokens are used for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.bff.server import Credentials, NotGood, Server
from bridge.errors import Problem
from bridge.store.bff_sessions import BffSession, BffSessions

MARGIN = 20.0
"""Seconds before its end at which an access token is renewed: longer than a call takes."""
PATIENCE = 10.0
_POLL = 0.03


class Keeper:
    """Works on the store's sessions by asking the server."""

    def __init__(self, sessions: BffSessions, server: Server) -> None:
        self._sessions, self._server = sessions, server

    def fresh(self, by: Credentials, id_: str) -> BffSession | None:
        """The session of a cookie's value with an access token that is good; None where there is
        none, it is another client's, or its grant has ended. Raises Problem: the server is in
        trouble, and the session stays; StoreDown."""
        held = self._loaded(by, id_)
        if held is None or self._good(held):
            return held
        with self._turn(id_):
            return self._renewed(by, id_)

    def leave(self, by: Credentials, id_: str, cookies: str) -> None:
        """End the session, its grant, and the browser's session at the hosted pages. The pages ask
        for an id_token of this grant; the freshest comes with a last refresh, so none is kept."""
        with self._turn(id_):
            held = self._loaded(by, id_)
            if held is None:
                return
            self._sessions.end(id_)
            try:
                last = self._server.refresh(by, held.refresh_token)
            except (NotGood, Problem):
                self._server.revoke(by, held.refresh_token)
                return
            self._server.end_session(last.id_token, cookies)
            self._server.revoke(by, last.refresh_token)

    def drop(self, by: Credentials, id_: str) -> None:
        """End the session and its grant: another takes its place, or its member is gone."""
        held = self._loaded(by, id_)
        if held is not None:
            self._sessions.end(id_)
            self._server.revoke(by, held.refresh_token)

    def _loaded(self, by: Credentials, id_: str) -> BffSession | None:
        held = self._sessions.load(id_) if id_ else None
        return held if held is not None and held.client_id == by.client_id else None

    @contextmanager
    def _turn(self, id_: str) -> Iterator[None]:
        """The right to use this session's refresh token. Raises Problem("busy") where it doesn't
        come in time."""
        until = time.monotonic() + PATIENCE
        while (mark := self._sessions.lock(id_)) is None:
            if time.monotonic() > until:
                raise Problem("busy")
            time.sleep(_POLL)
        try:
            yield
        finally:
            self._sessions.unlock(id_, mark)

    def _good(self, held: BffSession) -> bool:
        return held.good_until - MARGIN > self._sessions.clock()

    def _renewed(self, by: Credentials, id_: str) -> BffSession | None:
        """In its turn: whoever had it before may have done it."""
        held = self._loaded(by, id_)
        if held is None or self._good(held):
            return held
        try:
            new = self._server.refresh(by, held.refresh_token)
        except NotGood:
            self._sessions.end(id_)
            return None
        until = self._sessions.clock() + new.seconds
        held = held.renewed(new.access_token, new.refresh_token, until)
        if not self._sessions.save(id_, held):  # signed out meanwhile
            self._server.revoke(by, new.refresh_token)
            return None
        return held
