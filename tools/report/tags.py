"""Tagged PDF: a structure tree over what reportlab draws.

reportlab 5 knows title, author, language and the catalogue entries of a tagged file, but writes no marked
content, no structure elements and no alternative texts. This room adds them through its public objects
(ISO 32000-1, 14.7 and 14.8): a canvas that marks what belongs to an element, and the tree that says what
each element is. It does not claim PDF/UA: no validator has judged it, and there is no XMP metadata.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFString
from reportlab.pdfgen import canvas
from reportlab.platypus import flowables, tables

ARTIFACT = "Artifact"
UntypedCanvas: Any = canvas.Canvas
UntypedFlowable: Any = flowables.Flowable
UntypedTable: Any = tables.Table


@dataclass(eq=False)
class Element:
    """One element of the structure: its role (ISO 32000-1, 14.8.4), other elements or marked content in it.

    Parameters
    ----------
    role
        "Document", "H1", "P", "Figure", "Table", ...
    alt
        Alternative text; empty for none.
    content
        Elements, and pairs of page number from 0 and number of the marked content there.
    """

    role: str
    alt: str = ""
    content: list["Element | tuple[int, int]"] = field(default_factory=list["Element | tuple[int, int]"])

    def add(self, role: str, alt: str = "") -> "Element":
        """Return a new element inside this one, after what is there already."""
        child = Element(role, alt)
        self.content.append(child)
        return child


class Tagged(UntypedFlowable):
    """A flowable whose drawing belongs to an element; its parts do too if it is split."""

    def __init__(self, inner: Any, element: Element) -> None:
        super().__init__()
        self.inner, self.element = inner, element

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:  # noqa: N803 -- names of the base class
        """Return the size of what is inside."""
        width, height = (
            self.inner.wrapOn(self.canv, aW, aH) if hasattr(self, "canv") else self.inner.wrap(aW, aH)
        )
        self.width, self.height = float(width), float(height)
        return self.width, self.height

    def split(self, aW: float, aH: float) -> list[Self]:  # noqa: N803 -- names of the base class
        """Return parts that belong to the same element."""
        return [type(self)(part, self.element) for part in self.inner.splitOn(self.canv, aW, aH)]

    def draw(self) -> None:
        """Draw what is inside, marked."""
        with self.canv.marked(self.element):
            self.inner.drawOn(self.canv, 0, 0)

    def getSpaceBefore(self) -> float:  # noqa: N802 -- name of the base class
        """Return the space that what is inside wants above."""
        return float(self.inner.getSpaceBefore())

    def getSpaceAfter(self) -> float:  # noqa: N802 -- name of the base class
        """Return the space that what is inside wants below."""
        return float(self.inner.getSpaceAfter())


class RuledTable(UntypedTable):
    """A table whose lines and backgrounds are no content, but decoration."""

    def _drawBkgrnd(self) -> None:  # noqa: N802 -- name of the base class
        with self.canv.decoration():
            super()._drawBkgrnd()

    def _drawLines(self) -> None:  # noqa: N802 -- name of the base class
        with self.canv.decoration():
            super()._drawLines()


class TaggedCanvas(UntypedCanvas):
    """A canvas that marks content and, when it is saved, writes the structure tree.

    `root` is set by whoever builds the document, before the first page ends.
    """

    root: Element

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._marks: list[list[Element]] = [[]]

    @contextmanager
    def marked(self, element: Element) -> Generator[None]:
        """Mark what is drawn as content of an element."""
        number = len(self._marks[-1])
        self._marks[-1].append(element)
        element.content.append((len(self._marks) - 1, number))
        self._code.append(f"/{element.role} <</MCID {number}>> BDC")
        yield
        self._code.append("EMC")

    @contextmanager
    def decoration(self) -> Generator[None]:
        """Mark what is drawn as no content at all."""
        self._code.append(f"/{ARTIFACT} BMC")
        yield
        self._code.append("EMC")

    def showPage(self) -> None:  # noqa: N802 -- name of the base class
        """End a page; it knows its place in the tree."""
        super().showPage()
        page: Any = self._doc.Pages.pages[-1]
        page.__NoDefault__ = [*page.__NoDefault__, "StructParents", "Tabs"]
        page.StructParents = len(self._marks) - 1
        page.Tabs = PDFName("S")
        self._marks.append([])

    def save(self) -> None:
        """Write the tree, then the file."""
        if len(self._code):
            self.showPage()
        pages = [self._doc.Reference(page) for page in self._doc.Pages.pages]
        tree = PDFDictionary({"Type": PDFName("StructTreeRoot")})
        where = self._doc.Reference(tree)
        parents: list[list[Any]] = [[None] * len(marks) for marks in self._marks]
        tree["K"] = PDFArray([self._write(self.root, where, pages, parents)])
        numbers: list[Any] = []
        for page in range(len(pages)):
            numbers += [page, self._doc.Reference(PDFArray(parents[page]))]
        tree["ParentTree"] = PDFDictionary({"Nums": PDFArray(numbers)})
        catalog: Any = self._doc.Catalog
        catalog.StructTreeRoot = tree
        catalog.MarkInfo = PDFDictionary({"Marked": "true"})
        self.setViewerPreference("DisplayDocTitle", "true")
        super().save()

    def _write(self, element: Element, parent: Any, pages: list[Any], parents: list[list[Any]]) -> Any:
        """Return a reference to an element, written with all that is in it."""
        entry = PDFDictionary({"Type": PDFName("StructElem"), "S": PDFName(element.role), "P": parent})
        reference = self._doc.Reference(entry)
        kids: list[Any] = []
        for child in element.content:
            if isinstance(child, Element):
                kids.append(self._write(child, reference, pages, parents))
                continue
            page, number = child
            parents[page][number] = reference
            kids.append(PDFDictionary({"Type": PDFName("MCR"), "Pg": pages[page], "MCID": number}))
        entry["K"] = PDFArray(kids)
        if element.alt:
            entry["Alt"] = PDFString(element.alt)
        if element.role == "TH":
            entry["A"] = PDFDictionary({"O": PDFName("Table"), "Scope": PDFName("Column")})
        return reference
