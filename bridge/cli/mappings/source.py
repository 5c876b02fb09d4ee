"""What the commands work with: the settings, a mapping file, and the CRM's own metadata.

Not for: keys, clients or Redis, which a mapping has nothing to do with.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.base import Adapter, Description
from adapters.errors import CrmError
from adapters.registry import adapter_class, check_options
from bridge.cli import crm_checks
from bridge.keys import Role
from bridge.parts import ROOT
from config.settings import ConfigTrouble, Settings
from config.settings import load as load_settings
from mappings.loader import Mapping as CrmMapping
from mappings.loader import MappingErrors
from mappings.loader import load as load_mapping


class CrmSaysNo(Exception):
    """The CRM's metadata can't be had. `code`: of the error; `advice`: the adapter's, or ""."""

    def __init__(self, error: CrmError, advice: str) -> None:
        super().__init__(error.code)
        self.code, self.advice = error.code, advice


@dataclass(frozen=True)
class Source:
    """One role's settings, and the mapping file that was named or configured."""

    settings: Settings
    path: Path

    @property
    def adapter(self) -> type[Adapter]:
        """The configured CRM's."""
        return adapter_class(self.settings.crm.adapter)

    def mapping(self) -> CrmMapping:
        """Of the file. Raises ConfigTrouble with every mistake of it."""
        try:
            return load_mapping(self.path)
        except MappingErrors as trouble:
            raise ConfigTrouble([f"{self.path}: {each}" for each in trouble.problems]) from None

    def connect(self, mapping: CrmMapping, role: Role) -> Adapter:
        """The CRM by this mapping. Raises CrmSaysNo."""
        try:
            return crm_checks.connect(self.settings, mapping, role)
        except CrmError as error:
            raise self.no(error) from None

    def describe(self, mapping: CrmMapping, role: Role) -> Description:
        """What the CRM says of the mapping's tables. Raises CrmSaysNo."""
        crm = self.connect(mapping, role)
        try:
            return crm.describe()
        except CrmError as error:
            raise self.no(error) from None
        finally:
            crm.close()

    def no(self, error: CrmError) -> CrmSaysNo:
        """The error with what to do about it."""
        advice = self.adapter.guide.advice
        return CrmSaysNo(error, advice.get(error.remote_code) or advice.get(error.code, ""))


def source(role: Role, file: Path | None, environ: Mapping[str, str] = os.environ) -> Source:
    """Raises ConfigTrouble with every mistake of the settings."""
    settings = load_settings(role, environ)
    crm = settings.crm
    problems = check_options(crm.adapter, crm.options, crm.credential)
    if problems:
        raise ConfigTrouble(problems)
    return Source(settings, file or ROOT / crm.mapping)
