"""How a value is written in the CRM and read back. Not for: which column (`binding.py`).

`load` turns what the CRM gave into a canonical value, `dump` the other way; None stays None in
both unless a converter says otherwise. Neither exception holds the value, nor shows it as context.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from uuid import UUID

import phonenumbers
from marshmallow import fields

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# In E.164 already, which is what most rows hold; parsing costs as much as all other fields.
_MOBILE_CN = re.compile(r"\+861[3-9][0-9]{9}\Z")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class NotDecodable(ValueError):
    """The CRM holds something that this field can't be."""

    def __init__(self) -> None:
        super().__init__("not decodable")


class NotEncodable(ValueError):
    """The value isn't one of this field."""

    def __init__(self) -> None:
        super().__init__("not encodable")


@dataclass(frozen=True)
class Converter(ABC):
    """One way to write a value. Subclasses' dataclass fields are the keys that YAML may give."""

    # The marshmallow fields that it serves; the first is the one a brand's own field gets.
    serves: ClassVar[tuple[type[fields.Field[Any]], ...]]

    def load(self, remote: Any) -> Any:
        """The canonical value. Raises NotDecodable."""
        if remote is None:
            return None
        try:
            return self._load(remote)
        except (ValueError, TypeError, KeyError, InvalidOperation, OverflowError):
            raise NotDecodable from None

    def dump(self, value: Any) -> Any:
        """What goes into the CRM's JSON. Raises NotEncodable."""
        if value is None:
            return None
        try:
            return self._dump(value)
        except (ValueError, TypeError, KeyError, InvalidOperation, OverflowError):
            raise NotEncodable from None

    @abstractmethod
    def _load(self, remote: Any) -> Any: ...

    @abstractmethod
    def _dump(self, value: Any) -> Any: ...

    def problems(self) -> list[str]:
        """Mistakes in what YAML gave."""
        return []


def _expect(value: Any, *types: type) -> Any:
    """The value, if its type is exactly one of these (a bool is no int here)."""
    if type(value) not in types:
        raise TypeError
    return value


@dataclass(frozen=True)
class Text(Converter):
    """Text as it stands; the CRM's empty text is None. Control characters other than tab and line
    ends are refused: XML 1.0, which Dataverse keeps to inside, has no way to write them."""

    serves: ClassVar[tuple[type[fields.Field[Any]], ...]] = (fields.String, fields.Email)

    def _load(self, remote: Any) -> str | None:
        return _expect(remote, str) or None

    def _dump(self, value: Any) -> str:
        text: str = _expect(value, str)
        text.encode()  # a lone surrogate is no text; UnicodeEncodeError is a ValueError
        if _NO_XML.search(text):
            raise ValueError
        return text


@dataclass(frozen=True)
class Phone(Text):
    """A telephone number in E.164. What staff typed is brought to it, by `region`'s default for a
    number without a country; what isn't a number at all reads as it stands."""

    region: str = "CN"
    serves = (fields.String,)

    def _load(self, remote: Any) -> str | None:
        text = super()._load(remote)
        if text is None or _MOBILE_CN.match(text):
            return text
        try:
            number = phonenumbers.parse(text, self.region)
        except phonenumbers.NumberParseException:
            return text
        if not phonenumbers.is_possible_number(number):
            return text
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def spellings(self, value: str) -> tuple[str, ...]:
        """A number in E.164, and as staff and imports spell the same one, for a CRM that compares
        texts."""
        try:
            number = phonenumbers.parse(value, self.region)
        except phonenumbers.NumberParseException:
            return (value,)
        national = phonenumbers.national_significant_number(number)
        code, styles = str(number.country_code), phonenumbers.PhoneNumberFormat
        spelled = (styles.INTERNATIONAL, styles.NATIONAL)
        formatted = [phonenumbers.format_number(number, style) for style in spelled]
        ours = phonenumbers.region_code_for_number(number) == self.region
        local = [national, *formatted[1:]] if ours else []
        grown = [f"+{code} {national}", f"{code}{national}", f"00{code}{national}"]
        return tuple(dict.fromkeys([value, formatted[0], *grown, *local]))

    def problems(self) -> list[str]:
        known = self.region in phonenumbers.SUPPORTED_REGIONS
        return [] if known else ["region is not a known country code"]


@dataclass(frozen=True)
class Emails(Text):
    """The primary one of a record's addresses, which Sugar keeps as an array. `search`: what a
    search calls an address."""

    search: str = "email_addresses.email_address"
    serves = (fields.String, fields.Email)

    def _load(self, remote: Any) -> str | None:
        if type(remote) is not list:
            return super()._load(remote)
        given = [_expect(each, dict) for each in remote]
        found = [each["email_address"] for each in given if self._is_primary(each)]
        return super()._load(found[0]) if found else None

    def onto(self, held: Any, address: str | None) -> list[dict[str, Any]]:
        """The whole array with this address as the primary one, since what a part of it would do
        isn't known. It takes the place of the earlier primary; None empties the array."""
        if address is None:
            return []
        before = [each for each in held or () if isinstance(each, dict)]
        same = [each for each in before if each.get("email_address") == address]
        rest = [each for each in before if each not in same and not self._is_primary(each)]
        return [
            {**(same[0] if same else {}), "email_address": address, "primary_address": True},
            *rest,
        ]

    @staticmethod
    def _is_primary(each: dict[str, Any]) -> bool:
        return each.get("primary_address") in (True, 1, "1")


@dataclass(frozen=True)
class Date(Converter):
    """A day, `YYYY-MM-DD`, without time or zone."""

    serves = (fields.Date,)

    def _load(self, remote: Any) -> date:
        if len(_expect(remote, str)) != len("2000-01-31"):
            raise ValueError
        return date.fromisoformat(remote)

    def _dump(self, value: Any) -> str:
        day: date = _expect(value, date)
        return day.isoformat()


@dataclass(frozen=True)
class Moment(Converter):
    """A point in time: UTC on the wire (`…Z`, whole seconds: Dataverse keeps no fraction)."""

    serves = (fields.AwareDateTime,)

    def _load(self, remote: Any) -> datetime:
        found = datetime.fromisoformat(_expect(remote, str))
        if found.tzinfo is None:
            raise ValueError
        return found.astimezone(UTC)

    def _dump(self, value: Any) -> str:
        moment: datetime = _expect(value, datetime)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Number(Converter):
    """A decimal number; never through a float on the way in. On the way out JSON's number is one,
    so a value that a float can't hold exactly is refused."""

    serves = (fields.Decimal,)

    def _load(self, remote: Any) -> Decimal:
        found = Decimal(_expect(remote, Decimal, int, str))
        if not found.is_finite():
            raise ValueError
        return found

    def _dump(self, value: Any) -> int | float:
        number: Decimal = _expect(value, Decimal)
        if not number.is_finite():
            raise ValueError
        if number == number.to_integral_value():
            return int(number)
        if Decimal(repr(float(number))) != number:
            raise ValueError
        return float(number)


@dataclass(frozen=True)
class Bool(Converter):
    """Yes or no."""

    serves = (fields.Boolean,)

    def _load(self, remote: Any) -> bool:
        return bool(_expect(remote, bool))

    def _dump(self, value: Any) -> bool:
        return bool(_expect(value, bool))


@dataclass(frozen=True)
class InvertedBool(Bool):
    """Yes where the CRM says no, as Dataverse's `donotemail` does."""

    def _load(self, remote: Any) -> bool:
        return not super()._load(remote)

    def _dump(self, value: Any) -> bool:
        return not super()._dump(value)


@dataclass(frozen=True)
class OptionTable(Converter):
    """One of our words for one of the CRM's values, one to one. One word may stand for the CRM's
    null. A value that isn't in the table is NotDecodable, or reads as `unknown` where that is
    given: staff can add a choice at any time."""

    options: Mapping[str, int | str | None] = attribute(default_factory=dict)
    unknown: str | None = None
    serves = (fields.String,)

    def load(self, remote: Any) -> str | None:
        """Null has its own word where the table says so."""
        for word, value in self.options.items():
            if value == remote and type(value) is type(remote):
                return word
        if remote is None:
            return None
        if self.unknown is None or type(remote) not in (int, str):
            raise NotDecodable
        return self.unknown

    def _load(self, remote: Any) -> str | None:
        return self.load(remote)

    def _dump(self, value: Any) -> int | str | None:
        return self.options[_expect(value, str)]

    def problems(self) -> list[str]:
        found = []
        values = list(self.options.values())
        if not self.options:
            found.append("has no options")
        if len(set(values)) != len(values):
            found.append("options are not one to one")
        if not all(isinstance(word, str) for word in self.options):
            found.append("an option's name is not text (quote it)")
        if not all(v is None or type(v) in (int, str) for v in values):
            found.append("an option's value is neither a number, text nor null")
        if self.unknown is not None and self.unknown not in self.options:
            found.append("unknown: names no option")
        return found


@dataclass(frozen=True)
class Id(Converter):
    """The id of a record: letters, digits, `-` and `_`; a UUID comes in lower case."""

    serves = (fields.String,)

    def _load(self, remote: Any) -> str:
        text: str = _expect(remote, str)
        if not _PLAIN_ID.match(text):
            raise ValueError
        try:
            return str(UUID(text)) if len(text) == len(str(UUID(int=0))) else text
        except ValueError:
            return text

    def _dump(self, value: Any) -> str:
        return self._load(value)


@dataclass(frozen=True)
class Lookup(Id):
    """The id of another record. `navigation`: what the CRM calls the way there, where it differs
    from the column."""

    navigation: str = ""


@dataclass(frozen=True)
class TextList(Converter):
    """Several texts in one column, parted by `separator`; None where there is none."""

    separator: str = ","
    serves = (fields.List,)

    def _load(self, remote: Any) -> list[str] | None:
        parts = [part.strip() for part in _expect(remote, str).split(self.separator)]
        return [part for part in parts if part] or None

    def _dump(self, value: Any) -> str:
        for part in _expect(value, list):
            if not _expect(part, str).strip() or self.separator in part:
                raise ValueError
            part.encode()
        return self.separator.join(value)

    def problems(self) -> list[str]:
        return [] if self.separator else ["separator is empty"]


@dataclass(frozen=True)
class TextArray(Converter):
    """Several texts that the CRM keeps as an array, as Sugar does a choice of several; None where
    there is none."""

    serves = (fields.List,)

    def _load(self, remote: Any) -> list[str] | None:
        return [_expect(part, str) for part in _expect(remote, list) if part] or None

    def _dump(self, value: Any) -> list[str]:
        for part in _expect(value, list):
            if not _expect(part, str).strip():
                raise ValueError
            part.encode()
        return list(value)


CONVERTERS: Mapping[str, type[Converter]] = {
    "array": TextArray,
    "bool": Bool,
    "date": Date,
    "datetime": Moment,
    "decimal": Number,
    "emails": Emails,
    "id": Id,
    "inverted_bool": InvertedBool,
    "list": TextList,
    "lookup": Lookup,
    "option": OptionTable,
    "phone": Phone,
    "text": Text,
}
"""What `type:` in a mapping may be."""
