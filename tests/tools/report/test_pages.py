"""Pages from the clinic's store: the same numbers in HTML, PDF and JSON, in both languages, and no holes."""

import hashlib
import io
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pypdf
import pytest
from pypdf.generic import ArrayObject

from imu.errors import InputError
from imu.recording_values import SensorInfo
from rom.catalogue.loader import load_catalogue
from rom.clinic.closing import close, sign
from rom.clinic.desk import Desk, Limits
from rom.clinic.intake import screen, tell
from rom.clinic.measured import Measured, MeasuredPass, MeasuredRep
from rom.clinic.outcomes import change_between, sample_of, write_change
from rom.clinic.person import add_client, open_episode
from rom.clinic.screening import RULES, Answer, Reply
from rom.clinic.store import Store, StoreError
from rom.clinic.store_people import Client, HomeLog, HomeTask
from rom.clinic.store_visits import Outcome, TrialRecord, Visit
from rom.clinic.treating import Technique, palpate, passes_from, treat
from rom.clinic.trials import attach, keep, write_reps
from rom.clinic.visit import State, VisitError
from tools.report.course import course_report
from tools.report.course_of_store import course_of_store, retest_of_store, trial_of_store
from tools.report.from_store import visit_of_store
from tools.report.html import render_html
from tools.report.model import ReportModel
from tools.report.pdf import render_pdf
from tools.report.retest import retest_report
from tools.report.trial import trial_report
from tools.report.visit import visit_report
from tools.report.words import load_words

CATALOGUE = load_catalogue()
NO = [Answer(rule.code, Reply.NO) for rule in RULES]
BEFORE = (48.0, 46.5, 46.0, 45.8, 46.1)
OTHER = (30.0, 29.0, 28.5, 28.6, 28.4)


class Practice:
    """A practice with one client and recordings that exist as small files."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
        self.store = Store(folder / "practice", station="room 1", clock=lambda: self.now)
        self.desk = Desk(self.store, CATALOGUE, "Ann")
        self.folder, self.made = folder, 0
        add_client(self.store, "Ann", "P0042")
        open_episode(
            self.store,
            "Ann",
            CATALOGUE,
            "P0042",
            complaint="tight hamstring",
            regions=["knee"],
            side="left",
            goal="touch the toes",
            goal_movement="kn_ake",
            goal_deg=20.0,
        )

    def recording(
        self, values: tuple[float, ...], side: str = "left", passes: int = 0, movement: str = "kn_ake"
    ) -> Measured:
        self.made += 1
        path = self.folder / f"{self.made}.mcap"
        path.write_bytes(b"recording %d" % self.made)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        kinds = {"start_deg": 90.2, "rom_deg": 45.0, "sigma_deg": 1.2, "duration_s": 4.25}
        reps = tuple(
            MeasuredRep(3.0 * n, 3.0 * n + 2, v, valid=True, details=kinds) for n, v in enumerate(values)
        )
        if not passes:
            reps = (
                *reps,
                MeasuredRep(20.0, 20.5, 51.0, valid=False, reject_reason="samples are missing inside"),
            )
        return Measured(
            path=path,
            sha256=sha256,
            recording_id=f"r{self.made}",
            recorded_at=self.now,
            duration_s=60.0,
            simulated=True,
            client="P0042",
            sensors=tuple(
                SensorInfo(f"{side}-{s}", f"{side}_{s}", "virtual", 100.0) for s in ("thigh", "shank")
            ),
            movement=movement,
            side=side,
            aggregate="mean_2_to_k",
            reps=() if passes else reps,
            passes=tuple(MeasuredPass(9.0 * n, 9.0 * n + 4, 90.0, 40.0, 12.0, 5.0) for n in range(passes)),
            residual_deg=2.0,
            calibration={"source": "embedded"},
            sample={
                "peak": [math.radians(v) for v in values],
                "plateau": [None for _ in values],
                "numbers": list(range(1, len(values) + 1)),
                "sensor_sigma": 0.01,
                "strap_sigma": 0.02,
                "alignment": "as worn",
            },
            quality={
                "sensors": [{"loss": 0.004, "longest_gap_s": 0.042}],
                "warnings": [
                    "simulated: no person was measured",
                    "sensor left-thigh lost 2.1% of its samples",
                ],
            },
            provenance={
                "software": {"romcap": "0.1.0"},
                "recording_sha256": sha256,
                "simulated": True,
                "filter": "vqf",
                "magnetometer": False,
                "rate_hz": 100.0,
                "calibration": {"source": "embedded"},
            },
        )

    def wait(self, minutes: float = 0.0, days: float = 0.0) -> None:
        self.now += timedelta(minutes=minutes, days=days)

    def begin(self, pain: float, shift: float = 0.0, *, other: bool = True) -> None:
        self.desk.start("P0042", Limits())
        screen(self.desk, "P0042", NO)
        tell(self.desk, "P0042", pain)
        if other:
            attach(self.desk, "P0042", self.recording(OTHER, side="right"))
        own = self.recording(tuple(v - shift for v in BEFORE))
        attach(self.desk, "P0042", own, despite="" if other else "one leg only")

    def visit(self, pain: float, shift: float, gain: float) -> None:
        """Hold a whole visit in which two structures are treated."""
        self.begin(pain, shift)
        for number, structure in enumerate(("hamstrings", "gastrocnemius"), start=1):
            palpate(self.desk, "P0042", structure, "left", tender=2, despite="next structure")
            treat(self.desk, "P0042", Technique.ART)
            passes_from(self.desk, "P0042", self.recording((), passes=3))
            self.wait(minutes=3)
            values = tuple(v - shift - 0.5 * number * gain for v in BEFORE)
            attach(self.desk, "P0042", self.recording(values), came_off=False)
            if number == 1:
                self.desk.go("P0042", State.RETARGET)
        attach(self.desk, "P0042", self.recording(tuple(v - 2 for v in OTHER), side="right"), came_off=False)
        self.wait(minutes=1)
        self.end(pain - 2)

    def end(self, pain: float) -> None:
        close(self.desk, "P0042", nprs=pain, despite="time over")
        sign(self.desk, "P0042")
        self.wait(days=4)

    def home(self, values: tuple[float, ...]) -> None:
        """Take a test at home in, as `rom.clinic.home_desk.receive` writes it."""
        measured = self.recording(values)
        with self.store.writing("Ann") as ledger:
            task = ledger.find(HomeTask, kind="retest")[-1]
            visit = ledger.get(Visit, task.visit_id)
            clinic = ledger.get(TrialRecord, task.trial_id or "")
            trial = ledger.add(
                TrialRecord(
                    visit_id=visit.id,
                    recording_id=keep(self.store.folder, measured, ledger, visit.id).id,
                    n=99,
                    movement="kn_ake",
                    side="left",
                    phase="home",
                    aggregate="mean_2_to_k",
                    recorded_at=self.now,
                    restrapped_since_baseline=True,
                    sample=dict(measured.sample),
                    quality=dict(measured.quality),
                    provenance=dict(measured.provenance),
                )
            )
            ledger.change(trial, value_deg=math.degrees(sample_of(trial, CATALOGUE).value))
            write_change(ledger, visit, clinic, trial, change_between(CATALOGUE, clinic, trial))
            write_reps(ledger, trial, measured)
            ledger.add(
                HomeLog(
                    client_id=ledger.client("P0042").id,
                    task_id=task.id,
                    trial_id=trial.id,
                    day=self.now.date(),
                    soreness=2.0,
                    rom_deg=trial.value_deg,
                )
            )


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Practice:
    return a_course(tmp_path_factory.mktemp("clinic"))


@pytest.fixture(scope="module")
def made(practice: Practice) -> "Maker":
    """Return what makes a page of each kind and language, once."""

    @cache
    def make(kind: str, language: str) -> Page:
        report = pages(practice, language)[kind]
        return Page(report, render_html(report), render_pdf(report))

    return make


class Page(NamedTuple):
    """A report and what became of it."""

    report: ReportModel
    html: str
    pdf: bytes


def a_course(folder: Path) -> Practice:
    """Return a practice after three visits and a test at home."""
    held = Practice(folder)
    for pain, shift in ((6.0, 0.0), (5.0, 3.0), (4.0, 8.0)):
        held.visit(pain, shift, gain=9.0)
    held.home(tuple(v - 12 for v in BEFORE))
    return held


def pages(practice: Practice, language: str) -> dict[str, ReportModel]:
    """Return one page of each kind."""
    words, store = load_words(language), practice.store
    return {
        "visit": visit_report(visit_of_store(store, CATALOGUE, "P0042"), words, ama=True),
        "course": course_report(course_of_store(store, CATALOGUE, "P0042"), words),
        "retest": retest_report(retest_of_store(store, CATALOGUE, "P0042"), words),
        "trial": trial_report(trial_of_store(store, CATALOGUE, "P0042", 1, 3), words, ama=True),
    }


KINDS = ("visit", "course", "retest", "trial")
Maker = Callable[[str, str], Page]


class Reader(HTMLParser):
    """Collects what a reader sees of a page, figures left out, and its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.hidden += tag in ("svg", "style", "title")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("svg", "style", "title")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words += data.split()


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def pdf_text(content: bytes) -> str:
    return squeezed("".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages))


def every_text(document: dict[str, Any]) -> list[str]:
    """Return every text that the document says the page shows."""
    texts = [document["title"], *document["verdicts"], *document["warnings"], *document["missing"]]
    texts += [text for card in document["cards"] for text in card.values()]
    texts += [text for line in document["method"] for text in line]
    texts += [figure[part] for figure in document["figures"] for part in ("title", "caption")]
    for table in document["tables"]:
        texts += [
            table["caption"],
            table["note"],
            *table["columns"],
            *(c for row in table["rows"] for c in row),
        ]
    return [*texts, *document["limits"], document["evidence"], document["footer"]]


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", KINDS)
def test_html_pdf_and_json_say_the_same(made: "Maker", kind: str, language: str) -> None:
    page = made(kind, language)
    document = json.loads(json.dumps(page.report.to_document()))
    html, pdf = squeezed("".join(read(page.html).words)), pdf_text(page.pdf)
    said = every_text(document)
    assert len(said) > 30
    for text in said:
        assert squeezed(text) in html, f"HTML lacks {text!r}"
        assert squeezed(text) in pdf, f"PDF lacks {text!r}"


@pytest.mark.parametrize("language", ["en", "de"])
def test_tables_show_the_numbers_of_the_documents(practice: Practice, language: str) -> None:
    words, both = load_words(language), pages(practice, language)
    final = both["visit"].data["retests"][-1]["comparison"]
    row = both["visit"].tables[0].rows[1]
    change = final["change"]
    expected = [
        words.plain(final["pre_deg"]),
        words.plain(final["post_deg"]),
        words.plain(change["value_deg"], signed=True),
        " … ".join(words.plain(end, signed=True) for end in change["interval95_deg"]),
    ]
    assert list(row[2:6]) == expected
    assert ("," in expected[0]) == (language == "de")
    card = both["visit"].cards[2].value
    assert card == f"{words.plain(change['value_deg'], 0, signed=True)}°"
    first = both["course"].data["movements"][0]["visits"][0]
    assert both["course"].tables[0].rows[0][2] == words.plain(first["pre_deg"])


def test_the_store_and_the_page_judge_alike(practice: Practice) -> None:
    with practice.store.reading() as ledger:
        visits = ledger.find(Visit)
        outcomes = ledger.find(Outcome, visit_id=visits[-1].id, kind="change")
        retests = {ledger.get(TrialRecord, o.second_trial_id).n: o.sentence for o in outcomes
                   if ledger.get(TrialRecord, o.second_trial_id).phase == "retest"}  # fmt: skip
    found = visit_of_store(practice.store, CATALOGUE, "P0042")
    assert [r.comparison.sentence() for r in found.retests] == [retests[n] for n in sorted(retests)]
    assert [r.structures for r in found.retests] == [("hamstrings",), ("gastrocnemius",)]
    report = visit_report(found)
    assert report.verdicts[0] == retests[max(retests)]
    assert "untreated right side gained 2°" in report.verdicts[0]
    assert report.missing == ()


def test_three_measurements_count_the_greatest_range(practice: Practice) -> None:
    report = pages(practice, "en")["visit"]
    table = next(table for table in report.tables if table.caption.startswith("AMA"))
    before = next(row for row in table.rows if row[:2] == ("before", "left"))
    shifted = [value - 8.0 for value in BEFORE[:3]]
    assert list(before[2:]) == [f"{value:.1f}" for value in (*shifted, min(shifted))]
    assert "mean of the reps after warming up" in table.note


def test_a_rep_that_does_not_count_says_why(practice: Practice) -> None:
    english, german = pages(practice, "en")["trial"], pages(practice, "de")["trial"]
    rows = [row for row in english.tables[0].rows if "samples are missing inside" in row[-1]]
    assert [row[-2] for row in rows] == ["no"]
    assert any("darin fehlen Messwerte" in row[-1] for row in german.tables[0].rows)
    assert english.tables[0].rows[0][-2] == "warm-up"


def test_the_athlete_reads_one_sentence(practice: Practice) -> None:
    report = pages(practice, "de")["retest"]
    assert len(report.verdicts) == 1
    assert report.verdicts[0].startswith("Etwa wie Mittwoch (")
    assert [card.label for card in report.cards] == ["Heute", "In der Praxis", "Kann Zufall sein"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_accessible_and_needs_nothing_else(made: "Maker", kind: str) -> None:
    for language in ("en", "de"):
        report, page, _ = made(kind, language)
        elements = read(page).elements
        assert ("html", {"lang": language}) in elements
        tags = [tag for tag, _ in elements]
        assert "script" not in tags
        assert not re.search(r"(?:src|href)=\"(?!#)", page)
        assert "url(" not in re.sub(r"url\(#", "", page)
        assert tags.count("table") == tags.count("caption") == len(report.tables)
        pictures = [given["aria-label"] for _, given in elements if given.get("role") == "img"]
        assert pictures == [figure.alt for figure in report.figures]
        assert all(figure.alt and "nan" not in figure.alt for figure in report.figures)


@pytest.mark.parametrize("kind", KINDS)
def test_the_pdf_is_tagged_and_on_one_sheet(made: "Maker", kind: str) -> None:
    report, _, content = made(kind, "de")
    pdf = pypdf.PdfReader(io.BytesIO(content))
    catalog: Any = pdf.trailer["/Root"]
    assert catalog["/Lang"] == "de"
    assert catalog["/MarkInfo"]["/Marked"]
    assert pdf.metadata is not None
    assert pdf.metadata.title == f"{report.title} · P0042"
    assert pdf.metadata.author == f"romcap {report.version}"
    found: list[tuple[str, str]] = []
    walk(catalog["/StructTreeRoot"]["/K"], lambda node: found.append((node["/S"], str(node.get("/Alt", "")))))
    roles = [role for role, _ in found]
    assert roles[0] == "/Document"
    assert roles.count("/H1") == 1
    assert [alt for role, alt in found if role == "/Figure"] == [figure.alt for figure in report.figures]
    assert roles.count("/Table") == roles.count("/Caption") == len(report.tables)
    assert roles.count("/TD") == sum(len(row) for table in report.tables for row in table.rows)
    assert len(pdf.pages) == 1
    marks = pdf.pages[0].get_contents()
    assert marks is not None
    numbers = [int(n) for n in re.findall(rb"/MCID (\d+)", marks.get_data())]
    assert numbers == list(range(len(numbers)))
    parents: Any = catalog["/StructTreeRoot"]["/ParentTree"]["/Nums"][1]
    assert len(parents.get_object()) == len(numbers)


def walk(node: Any, visit: Callable[[Any], None]) -> None:
    node = node.get_object()
    if isinstance(node, list):
        for each in node:  # pyright: ignore[reportUnknownVariableType] -- pypdf's arrays hold anything
            walk(each, visit)
    elif "/S" in node:
        visit(node)
        walk(node.get("/K", ArrayObject()), visit)


def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    bare = Practice(tmp_path)
    with pytest.raises(VisitError, match="has no visit"):
        visit_of_store(bare.store, CATALOGUE, "P0042")
    with pytest.raises(InputError, match="no visit yet"):
        course_of_store(bare.store, CATALOGUE, "P0042")
    with pytest.raises(InputError, match="no test at home"):
        retest_of_store(bare.store, CATALOGUE, "P0042")
    with pytest.raises(StoreError, match="P0099"):
        visit_of_store(bare.store, CATALOGUE, "P0099")
    bare.desk.start("P0042", Limits())
    empty = visit_report(visit_of_store(bare.store, CATALOGUE, "P0042"))
    assert empty.title == "tight hamstring"
    assert {line.split(":")[0].split(".")[0] for line in empty.missing} >= {
        "No movement was tested in this visit",
        "No passes are written down",
        "Pain was not rated",
    }
    screen(bare.desk, "P0042", NO)
    tell(bare.desk, "P0042", 5)
    attach(bare.desk, "P0042", bare.recording((48.0, 46.5)), despite="one leg only")
    found = visit_report(visit_of_store(bare.store, CATALOGUE, "P0042"), ama=True)
    said = " ".join(found.missing)
    for words in ("No re-test", "other side was not tested", "No passes", "Pain after treatment", "needs 3"):
        assert words in said
    for page in (empty, found):
        text = " ".join(read(render_html(page)).words)
        assert not re.search(r"\bnan\b|\bNone\b|unknown", text)
        assert len(pypdf.PdfReader(io.BytesIO(render_pdf(page))).pages) == 1
    course = course_report(course_of_store(bare.store, CATALOGUE, "P0042"))
    assert "One visit only: no trend." in course.missing


def test_a_movement_without_sides_and_without_published_error(tmp_path: Path) -> None:
    held = Practice(tmp_path)
    assert CATALOGUE.movement("lumb_flexion").mdc95 is None
    held.desk.start("P0042", Limits())
    screen(held.desk, "P0042", NO)
    tell(held.desk, "P0042", 5)
    before = held.recording((50.0, 52.0, 52.5, 52.2, 52.4), "midline", movement="lumb_flexion")
    attach(held.desk, "P0042", before)
    palpate(held.desk, "P0042", "ql", "left", despite="one test")
    treat(held.desk, "P0042", Technique.MASSAGE)
    passes_from(held.desk, "P0042", held.recording((), passes=2))
    after = held.recording((58.0, 59.0, 59.5, 59.2, 59.4), "midline", movement="lumb_flexion")
    attach(held.desk, "P0042", after, came_off=True)
    for language in ("en", "de"):
        report = visit_report(visit_of_store(held.store, CATALOGUE, "P0042"), load_words(language))
        said = " ".join([*report.verdicts, *report.missing, *(text for _, text in report.method)])
        assert "no published MDC" in said or "keine veröffentlichte MDC" in said
        assert not any("other side" in line or "andere Seite" in line for line in report.missing)
        assert len(pypdf.PdfReader(io.BytesIO(render_pdf(report))).pages) == 1
        assert [figure.labels for figure in report.figures]


def test_a_client_is_named_by_pseudonym_only(practice: Practice) -> None:
    with practice.store.reading() as ledger:
        assert ledger.find(Client)[0].code == "P0042"
    assert all(page.who == "P0042" for page in pages(practice, "en").values())
