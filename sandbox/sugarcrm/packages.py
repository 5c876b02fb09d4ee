"""`/Administration/packages`: the module loader over REST, as the vendor's own harness uses it.

Upload, install, uninstall, delete; administrators only. What the answers hold besides the fields
that the harness reads is unverified. Not for: what a package brings (`install.py`).
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from sandbox.kit.package import Package, read
from sandbox.sugarcrm import schema
from sandbox.sugarcrm.errors import SugarError, not_played
from sandbox.sugarcrm.install import install
from sandbox.sugarcrm.records import Records
from sandbox.sugarcrm.wire import Call


@dataclass
class _Staged:
    package: Package
    hash: str
    installed: bool = False

    def shown(self) -> dict[str, Any]:
        """What the lists show of it."""
        return {
            "id": f"id-{self.hash}",
            "name": self.package.manifest.get("name"),
            "version": self.package.manifest.get("version"),
            "file_install": self.hash,
            "unFile": f"un-{self.hash}",
        }


class Packages:
    """The server's definitions: those it began with, and what was installed since, in order."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._began = schema.bridged()
        self._uploaded: list[_Staged] = []

    def begin(self, document: schema.Document) -> None:
        """A server with these definitions on which nothing else was installed."""
        self._began, self._uploaded = document, []
        self._show()

    def upload(self, content: bytes) -> dict[str, Any]:
        """A package that is not yet installed. Raises ValueError where it is none."""
        staged = _Staged(read(content), hashlib.sha256(content).hexdigest()[:32])
        self._uploaded = [each for each in self._uploaded if each.hash != staged.hash]
        self._uploaded.append(staged)
        return staged.shown()

    def install(self, hash: str) -> dict[str, Any]:
        """Records stay. Raises ValueError where the loader refuses."""
        staged = self._find(hash, installed=False)
        staged.installed = True
        try:
            self._show()
        except ValueError:
            staged.installed = False
            raise
        return staged.shown()

    def answer(self, call: Call) -> Any:
        """One call below /Administration. Raises SugarError."""
        if not call.caller.user.admin:
            raise SugarError("not_authorized")
        try:
            return self._answer(call)
        except ValueError as error:
            raise SugarError("invalid_parameter", str(error)) from None

    def _answer(self, call: Call) -> Any:
        match call.method, call.steps[1:]:
            case "POST", ("packages",) if isinstance(call.args.get("upgrade_zip"), bytes):
                return self.upload(call.args["upgrade_zip"])
            case "GET", ("packages", "staged" | "installed" as which):
                chosen = [e for e in self._uploaded if e.installed == (which == "installed")]
                return {"packages": [each.shown() for each in chosen]}
            case "GET", ("packages", hash, "install"):
                return self.install(hash)
            case "GET", ("packages", id, "uninstall"):
                staged = self._find(id.removeprefix("id-"), installed=True)
                staged.installed = False
                self._show()
                return staged.shown()
            case "DELETE", ("packages", file):
                staged = self._find(file.removeprefix("un-"), installed=False)
                self._uploaded.remove(staged)
                return staged.shown()
        raise not_played("this page of the administration")

    def _find(self, hash: str, *, installed: bool) -> _Staged:
        for each in self._uploaded:
            if each.hash == hash and each.installed == installed:
                return each
        raise SugarError("not_found")

    def _show(self) -> None:
        document = self._began
        for each in self._uploaded:
            if each.installed:
                document = install(document, each.package)
        with self._records.store.lock:
            self._records.schema = schema.build(document)
