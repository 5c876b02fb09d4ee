"""XML that a caller sent (FetchXML, ParameterXml) as a tree. A document type is refused, so that
no entity can grow or lead anywhere."""

import xml.etree.ElementTree as ET
import xml.parsers.expat
from typing import Any, NoReturn


def tree(text: str) -> ET.Element:
    """The root element; raises ValueError for what is no plain XML."""
    builder = ET.TreeBuilder()
    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(text, True)
    except xml.parsers.expat.ExpatError:
        raise ValueError("no XML") from None
    return builder.close()


def _refuse(*_: Any) -> NoReturn:
    raise ValueError("a document type")
