"""What `provision` sends to make a table, a column, a lookup or a key: JSON. Not for: sending it.

Sources: learn.microsoft.com/power-apps/developer/data-platform/webapi/
create-update-entity-definitions-using-web-api, create-update-column-definitions-using-web-api,
create-update-entity-relationships-using-web-api; /define-alternate-keys-entity.
"""

from collections.abc import Callable
from typing import Any

from adapters.needs import Need

Document = dict[str, Any]
_TYPE = "Microsoft.Dynamics.CRM."
_MOST_TEXT = 4000
"""Characters of a String; a Memo holds more."""
_NAME_LENGTH = 100
_LARGEST = 100_000_000_000
_PLACES = 2
_OPTIONAL = {"Value": "None", "CanBeChanged": True}
# Erasing a member must neither be stopped by its rows nor remove them unseen.
_CASCADE = {
    "Assign": "NoCascade",
    "Delete": "RemoveLink",
    "Merge": "NoCascade",
    "Reparent": "NoCascade",
    "Share": "NoCascade",
    "Unshare": "NoCascade",
}


class Definitions:
    """`language`: the code of the language that labels are in, which the environment must have."""

    def __init__(self, prefix: str, language: int) -> None:
        self._prefix = prefix
        self._language = language

    def label(self, text: str) -> Document:
        """A Label in one language."""
        localized = {
            "@odata.type": f"{_TYPE}LocalizedLabel",
            "Label": text,
            "LanguageCode": self._language,
        }
        return {"@odata.type": f"{_TYPE}Label", "LocalizedLabels": [localized]}

    def table(self, need: Need, entity_set: str) -> Document:
        """A table of ours with its primary name column, which the bridge leaves empty."""
        name = self._head("String", f"{self._prefix}_name", "Name")
        plural = need.label if need.label.endswith("s") else f"{need.label}s"
        return {
            "@odata.type": f"{_TYPE}EntityMetadata",
            "SchemaName": need.table,
            "EntitySetName": entity_set,
            "DisplayName": self.label(need.label),
            "DisplayCollectionName": self.label(plural),
            "OwnershipType": "UserOwned",
            "IsActivity": False,
            "HasActivities": False,
            "HasNotes": False,
            "Attributes": [
                {**name, "IsPrimaryName": True, "MaxLength": _NAME_LENGTH, "FormatName": _TEXT}
            ],
        }

    def column(self, need: Need) -> Document:
        """Any column but a lookup."""
        kind = need.type
        if kind == "String" and (need.length or 0) > _MOST_TEXT:
            kind = "Memo"
        head = self._head(kind, need.name, need.label) | {"IsSecured": need.secret}
        return head | _OF_TYPE[kind](self, need)

    def lookup(self, need: Need, way: str, relationship: str, target: str, key: str) -> Document:
        """A lookup with its relationship. `way`: its schema name; `target`, `key`: the table that
        it leads to, and that one's primary key."""
        column = self._head("Lookup", way, need.label)
        return {
            "@odata.type": f"{_TYPE}OneToManyRelationshipMetadata",
            "SchemaName": relationship,
            "ReferencedEntity": target,
            "ReferencedAttribute": key,
            "ReferencingEntity": need.table,
            "CascadeConfiguration": _CASCADE,
            "Lookup": column,
        }

    def key(self, need: Need, column: str) -> Document:
        """An alternate key over one column."""
        return {
            "SchemaName": need.name,
            "DisplayName": self.label(need.name),
            "KeyAttributes": [column],
        }

    def option(self, need: Need, word: str, value: Any, solution: str) -> Document:
        """One more value of a choice that is there."""
        return {
            "EntityLogicalName": need.table,
            "AttributeLogicalName": need.name,
            "Value": value,
            "Label": self.label(_words(word)),
            "SolutionUniqueName": solution,
        }

    def _head(self, kind: str, name: str, text: str) -> Document:
        return {
            "@odata.type": f"{_TYPE}{kind}AttributeMetadata",
            "SchemaName": name,
            "DisplayName": self.label(text),
            "RequiredLevel": _OPTIONAL,
        }

    def _choice(self, need: Need) -> Document:
        options = [
            {"Value": value, "Label": self.label(_words(word))}
            for word, value in need.options.items()
        ]
        option_set = {"IsGlobal": False, "OptionSetType": "Picklist", "Options": options}
        return {"OptionSet": {"@odata.type": f"{_TYPE}OptionSetMetadata", **option_set}}

    def _flag(self, _: Need) -> Document:
        return {
            "DefaultValue": False,
            "OptionSet": {
                "TrueOption": {"Value": 1, "Label": self.label("Yes")},
                "FalseOption": {"Value": 0, "Label": self.label("No")},
                "OptionSetType": "Boolean",
            },
        }


_TEXT = {"Value": "Text"}


def _words(word: str) -> str:
    return word if word != word.lower() else word.replace("_", " ").capitalize()


def _string(_: Definitions, need: Need) -> Document:
    return {"MaxLength": need.length or _NAME_LENGTH, "FormatName": _TEXT}


def _memo(_: Definitions, need: Need) -> Document:
    return {"MaxLength": need.length or _MOST_TEXT}


def _moment(_: Definitions, need: Need) -> Document:
    """A date has no zone; a moment is kept in UTC and shown in the user's."""
    if need.given == "date":
        return {"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}
    return {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}


def _decimal(_: Definitions, need: Need) -> Document:
    return {"Precision": _PLACES, "MinValue": -_LARGEST, "MaxValue": _LARGEST}


_OF_TYPE: dict[str, Callable[[Definitions, Need], Document]] = {
    "String": _string,
    "Memo": _memo,
    "Boolean": Definitions._flag,
    "DateTime": _moment,
    "Decimal": _decimal,
    "Picklist": Definitions._choice,
}
"""Types that are made: those that the guide names first for each type of a mapping."""
