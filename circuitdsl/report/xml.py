"""An XML tree as text that every reader takes: pictures and JUnit files are written through here."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from circuitdsl.visible import visible_lines


def xml_text(root: ET.Element) -> str:
    """The tree indented. What XML 1.0 cannot hold, as control characters and U+FFFE, is written as an escape."""
    for element in root.iter():
        if element.text is not None:
            element.text = visible_lines(element.text)
        for name, value in element.items():
            element.set(name, visible_lines(value))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
