"""`rom report`: one page for the chart, as HTML or PDF, in English or German."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imu.errors import InputError
from tools.cli.output import JsonOption, emit
from tools.cli.practice import DatabaseOption, FolderOption, Practice, practice_of, with_practice

if TYPE_CHECKING:
    from rom.trial import Trial
    from tools.report.findings import VisitFindings
    from tools.report.model import ReportModel
    from tools.report.retest import RetestFindings
    from tools.report.words import Words

OutOption = Annotated[Path, typer.Option("--out", "-o", help="Page to make: FILE.html or FILE.pdf.")]
LanguageOption = Annotated[str, typer.Option("--language", "-l", help="en or de.")]
AmaOption = Annotated[
    bool, typer.Option("--ama", help="Add the table of three measurements, the greatest counts.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file of that name.")]
ClientOption = Annotated[
    str, typer.Argument(help="Pseudonym in the clinic's store, such as P0042.", metavar="CLIENT")
]
VisitOption = Annotated[int | None, typer.Option("--visit", help="Number of the visit; else the last one.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    group = typer.Typer(help="One page a clinician reads in 20 seconds: HTML or PDF.", no_args_is_help=True)
    group.callback()(_with_practice)
    for command in (visit, course, retest, trial):
        group.command()(command)
    app.add_typer(group, name="report")


def visit(
    context: typer.Context,
    client: Annotated[str, typer.Argument(help="Pseudonym in the clinic's store.", metavar="[CLIENT]")] = "",
    *,
    out: OutOption,
    number: VisitOption = None,
    pre: Annotated[Path | None, typer.Option(help="Instead of a client: recording before.")] = None,
    post: Annotated[Path | None, typer.Option(help="Recording after.")] = None,
    control_pre: Annotated[Path | None, typer.Option(help="Untreated side before.")] = None,
    control_post: Annotated[Path | None, typer.Option(help="Untreated side after.")] = None,
    treatment: Annotated[list[Path] | None, typer.Option(help="Recording of passes; several times.")] = None,
    restrapped: Annotated[
        bool, typer.Option("--restrapped", help="Sensors came off or moved between PRE and POST.")
    ] = False,
    ama: AmaOption = False,
    language: LanguageOption = "en",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Report a visit: of the store, or from recordings before and after."""
    from tools.report.visit import visit_report

    words = _ready(out, language, force=force)
    if bool(client) == (pre is not None):
        raise InputError("name either a client of the store, or recordings with --pre and --post")
    if pre is None:
        from tools.report.from_store import visit_of_store

        practice = practice_of(context)
        found = visit_of_store(practice.store, practice.catalogue, client, number)
    else:
        found = _visit_of_recordings(
            pre, post, _both(control_pre, control_post), treatment or [], restrapped=restrapped
        )
    _write(visit_report(found, words, ama=ama), out, as_json=as_json)


def course(
    context: typer.Context,
    client: ClientOption,
    *,
    out: OutOption,
    episode: Annotated[str, typer.Option(help="Part of its complaint; else the newest.")] = "",
    language: LanguageOption = "en",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Report the visits of an episode: range and pain over time, sides, what was kept, tests at home."""
    from tools.report.course import course_report
    from tools.report.course_of_store import course_of_store

    words = _ready(out, language, force=force)
    practice = practice_of(context)
    found = course_of_store(practice.store, practice.catalogue, client, episode)
    _write(course_report(found, words), out, as_json=as_json)


def retest(
    context: typer.Context,
    client: Annotated[
        str, typer.Argument(help="Pseudonym, or the file that the clinic sent.", metavar="CLIENT|TEST_FILE")
    ],
    *,
    out: OutOption,
    recording: Annotated[
        Path | None, typer.Option(help="With the clinic's file: the recording made at home.")
    ] = None,
    language: LanguageOption = "en",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Report a test at home for the athlete: today, the clinic, what could be chance, one sentence."""
    from tools.report.retest import retest_report

    words = _ready(out, language, force=force)
    if recording is not None:
        found = _retest_of_files(Path(client), recording)
    else:
        from tools.report.course_of_store import retest_of_store

        if Path(client).is_file():
            raise InputError(f"{client} is the clinic's file: name the recording too, with --recording")
        practice = practice_of(context)
        found = retest_of_store(practice.store, practice.catalogue, client)
    _write(retest_report(found, words), out, as_json=as_json)


def trial(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="A recording, or a pseudonym in the store.", metavar="RECORDING|CLIENT")
    ],
    *,
    out: OutOption,
    number: VisitOption = None,
    test: Annotated[int | None, typer.Option("--test", help="Number of the test; else the last one.")] = None,
    movement: Annotated[str, typer.Option(help="Id of the movement; else what the recording says.")] = "",
    side: Annotated[str, typer.Option(help="left, right or midline; else what the recording says.")] = "",
    ama: AmaOption = False,
    language: LanguageOption = "en",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Report one test: every rep, whether it counts, and why not."""
    from tools.report.trial import findings_of_trial, trial_report

    words = _ready(out, language, force=force)
    path = Path(source)
    if path.is_file() or path.suffix:
        from tools.cli.measure import side_named

        measured, client, when = _analysed(path, movement, side_named(side))
        found = findings_of_trial(client, when, measured, _structures())
    else:
        from tools.report.course_of_store import trial_of_store

        practice = practice_of(context)
        found = trial_of_store(practice.store, practice.catalogue, source, number, test)
    _write(trial_report(found, words, ama=ama), out, as_json=as_json)


def _with_practice(
    context: typer.Context, practice: FolderOption = None, database: DatabaseOption = None
) -> None:
    """Prepare the store that reports read; nothing is written to it."""
    with_practice(context, practice, database, "")
    found = context.find_object(Practice)
    if found is not None and found.folder is not None and not found.folder.is_dir():
        raise InputError(f"{found.folder}: there is no such folder; name the practice with --practice")


def _ready(out: Path, language: str, *, force: bool) -> "Words":
    """Return the language, once it is sure that the page can be written."""
    from tools.report.words import load_words

    if out.suffix.lower() not in (".html", ".pdf"):
        raise InputError(f"a report is written as .html or .pdf, got {out.name}; choose one of them")
    if out.exists() and not force:
        raise InputError(f"{out} exists; choose another name, or replace it with --force")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: there is no such folder; make it first")
    return load_words(language)


def _write(report: "ReportModel", out: Path, *, as_json: bool) -> None:
    """Write the page whole or not at all."""
    from imu.whole_file import write_whole

    if out.suffix.lower() == ".pdf":
        from tools.report.pdf import render_pdf

        content = render_pdf(report)
    else:
        from tools.report.html import render_html

        content = render_html(report).encode()
    write_whole(out, content)
    lines = [*report.verdicts, *(f"  ! {line}" for line in report.missing), f"Report  {out}"]
    emit(report.to_document() | {"report": str(out)}, "\n".join(lines), as_json=as_json)


def _both(pre: Path | None, post: Path | None) -> tuple[Path, Path] | None:
    if pre is None and post is None:
        return None
    if pre is None or post is None:
        raise InputError("a control needs two recordings: give both --control-pre and --control-post")
    return pre, post


def _analysed(path: Path, movement: str, side: Any) -> "tuple[Trial, str, Any]":
    from imu.recording import Recording
    from rom.trial import analyse

    recording = Recording.open(path)
    return analyse(recording, movement, side), recording.header.client, recording.header.created_at


def _visit_of_recordings(
    pre: Path,
    post: Path | None,
    control: tuple[Path, Path] | None,
    treatments: list[Path],
    *,
    restrapped: bool,
) -> "VisitFindings":
    """Analyse recordings as `rom compare` and `rom symmetry` do."""
    from imu.recording import Recording
    from rom.trial import analyse
    from rom.trials import analyse_pair, compare_trials, symmetry_of_trials
    from tools.report.from_trials import visit_of_trials

    if post is None:
        raise InputError(
            "a visit needs recordings before and after: give --post too, or use `rom report trial`"
        )
    header = Recording.open(pre).header
    before, after = analyse_pair(Recording.open(pre), Recording.open(post), restrapped=restrapped)
    other = None
    if control is not None:
        first, second = (Recording.open(path) for path in control)
        other = analyse_pair(first, second, restrapped=restrapped)
    change = compare_trials(before, after, restrapped=restrapped, control=other)
    calibration = before.setup.calibration
    kept = () if calibration is None else (calibration,)
    passes = [analyse(Recording.open(path), calibrations=kept) for path in treatments]
    marked = [one.structure for found in passes for one in found.passes if one.structure]
    treated = tuple(dict.fromkeys(marked))
    sides: list[Any] = [None, None]
    if other is not None and {before.side, other[0].side} == {"left", "right"}:
        involved: Any = before.side
        if other[0].movement.id == before.movement.id:
            sides = [
                symmetry_of_trials(*(pair if before.side == "left" else pair[::-1]), involved=involved)
                for pair in ((before, other[0]), (after, other[1]))
            ]
    return visit_of_trials(
        header.client,
        header.created_at,
        before=before,
        after=after,
        control=other,
        treatments=passes,
        retests=[(treated, change)],
        symmetry_before=sides[0],
        symmetry_after=sides[1],
        structures=_structures(),
    )


def _retest_of_files(test_file: Path, recording: Path) -> "RetestFindings":
    """Compare a recording made at home with the file that the clinic sent, as `rom retest` does."""
    from rom.catalogue.loader import load_catalogue
    from rom.clinic.home import HomeTest
    from rom.clinic.measuring import measure
    from tools.report.findings import TestFacts
    from tools.report.retest import RetestFindings

    test, catalogue = HomeTest.load(test_file), load_catalogue()
    measured = measure(recording, catalogue, movement=test.movement, side=test.side, aggregate=test.aggregate)
    side: Any = test.side
    facts = TestFacts.from_documents(
        catalogue.movement(test.movement),
        side,
        "home",
        dict(measured.provenance),
        dict(measured.quality),
        recorded=measured.recorded_at,
        residual_deg=measured.residual_deg,
        sensors=tuple((s.segment, f"{s.kind} {s.serial or s.sensor}", s.rate_hz) for s in measured.sensors),
    )
    return RetestFindings(
        client=test.client,
        when=measured.recorded_at,
        clinic_day=test.measured_at.date(),
        comparison=test.against(measured.sample, catalogue),
        facts=facts,
    )


def _structures() -> dict[str, Any]:
    from rom.catalogue.loader import load_catalogue

    return dict(load_catalogue().structures)
