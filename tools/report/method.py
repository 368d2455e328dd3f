"""How it was measured, in lines: sensors, calibration, filter, yardstick, software, fingerprint."""

import math
from collections.abc import Sequence
from importlib.metadata import version

from rom.estimate import Estimate, difference, pooled_scatter
from rom.sample import RepSample
from rom.soft_tissue import soft_tissue
from rom.verdict import Yardstick
from tools.report.findings import TestFacts
from tools.report.model import Kind
from tools.report.sentences import yardstick_text
from tools.report.words import Words

SHORT_HASH = 12
"""Digits of a sha256 that a page shows; the document has all of them."""


MOST_HASHES = 4
"""Fingerprints that the foot of a page shows; the method lists all of them."""


def method_lines(
    words: Words, tests: Sequence[TestFacts], sample: RepSample | None, stick: Yardstick | None
) -> tuple[tuple[str, str], ...]:
    """Return label and text of each line; what is not known is left out here and said elsewhere."""
    if not tests:
        return ()
    first = tests[0]
    lines = [
        (
            "movement",
            f"{first.movement.id}: {words.say('method.source_text', text=first.movement.start_position)}",
        ),
        ("sensors", "; ".join(dict.fromkeys(_sensor(words, one) for test in tests for one in test.sensors))),
        ("calibration", _calibration(words, tests)),
        ("filter", "; ".join(dict.fromkeys(_filter(words, test) for test in tests if test.filter_name))),
        ("loss", _loss(words, tests)),
    ]
    if sample is not None:
        aggregate, end = (words.say(f"method.{name}") for name in (sample.aggregate, f"end_{sample.end}"))
        lines.append(("aggregate", words.say("method.ends_at", aggregate=aggregate, end=end)))
    if stick is not None:
        lines.append(("yardstick", yardstick_text(words, stick)))
    elapsed = [test.elapsed_min for test in tests if test.side == first.side and test.elapsed_min is not None]
    if elapsed:
        lines.append(("elapsed", words.say("method.elapsed_min", minutes=words.plain(elapsed[-1], 0))))
    lines += [
        ("published", _published(words, first)),
        ("soft_tissue", _soft_tissue(words, first, sample)),
        ("software", ", ".join(dict.fromkeys(f"romcap {test.software}" for test in tests if test.software))),
        ("recordings", ", ".join(test.sha256[:SHORT_HASH] for test in tests if test.sha256)),
    ]
    return tuple((words.say(f"method.{label}"), text) for label, text in lines if text)


def frame(words: Words, kind: Kind, tests: Sequence[TestFacts]) -> dict[str, object]:
    """Return what every page has around its content, as fields of a `ReportModel`."""
    prints = list(dict.fromkeys(test.sha256 for test in tests if test.sha256))
    what = words.say("heading.recording" if len(prints) == 1 else "heading.recordings")
    return {
        "kind": kind,
        "language": words.language,
        "banner": words.say("banner.simulated") if any(test.simulated for test in tests) else "",
        "warnings": warnings_of(words, tests),
        "limits": (words.say("limits.intended"), words.say("limits.intervals")),
        "evidence": words.say("evidence.art"),
        "headings": words.section("heading"),
        "version": version("romcap"),
        "fingerprint": f"{what} {_shortened(words, prints)}" if prints else "",
    }


def warnings_of(words: Words, tests: Sequence[TestFacts]) -> tuple[str, ...]:
    """Return what a reader must know, each with the test that it is about."""
    found: dict[str, list[str]] = {}
    for test in tests:
        for warning in test.warnings:
            if not warning.startswith("simulated"):
                found.setdefault(warning, []).append(label_of(words, test))
    return tuple(
        f"{' / '.join(dict.fromkeys(labels))}: {words.phrase(warning)}." for warning, labels in found.items()
    )


def label_of(words: Words, test: TestFacts) -> str:
    """Return side and phase of a test, such as "Left, before treatment"."""
    phase = test.phase if test.phase in ("baseline", "retest", "treatment", "control", "home") else "none"
    return f"{words.say(f'side.{test.side}').capitalize()}, {words.say(f'trial.phase_{phase}')}"


def mean_of(sample: RepSample) -> Estimate:
    """Return the value of one test with its error for this strapping: rep scatter and the sensors' own.

    Of a single rep without a published SEM nothing tells the scatter; the interval is NaN then.
    """
    sem = sample.movement.published_sem
    if sem is None and sample.used.size < 2:
        return Estimate(sample.value, math.nan, 1.0)
    scatter = pooled_scatter(sample.used, prior_sd=sem)
    return difference(sample.value, scatter, sample.leverage, sample.sensor_sigma**2)


def _shortened(words: Words, prints: Sequence[str]) -> str:
    shown = ", ".join(each[:SHORT_HASH] for each in prints[:MOST_HASHES])
    more = len(prints) - MOST_HASHES
    return shown if more <= 0 else words.say("heading.and_more", shown=shown, count=more)


def _sensor(words: Words, sensor: tuple[str, str, float | None]) -> str:
    segment, name, rate = sensor
    where = words.segment(segment)
    if rate is None or not math.isfinite(rate):
        return words.say("method.sensor_no_rate", segment=where, name=name)
    return words.say("method.sensor", segment=where, name=name, rate=words.plain(rate, 0))


def _calibration(words: Words, tests: Sequence[TestFacts]) -> str:
    """Return each source once, with the residuals of the calibrations that were made from it."""
    found: dict[str, list[str]] = {}
    for test in tests:
        residuals = found.setdefault(test.calibration, [])
        known = test.residual_deg is not None and math.isfinite(test.residual_deg)
        if known and test.calibration != "given":
            residuals.append(f"{words.plain(test.residual_deg or 0.0)}°")
    return "; ".join(
        words.say(
            "method.residual",
            source=words.say(f"source.{source}"),
            residual=", ".join(dict.fromkeys(residuals)),
        )
        if residuals
        else words.say(f"source.{source}")
        for source, residuals in found.items()
    )


def _filter(words: Words, test: TestFacts) -> str:
    if test.rate_hz is None:
        return words.say("method.filtered_no_rate", name=test.filter_name)
    key = "method.filtered_mag" if test.magnetometer else "method.filtered"
    return words.say(key, name=test.filter_name, rate=words.plain(test.rate_hz, 0))


def _loss(words: Words, tests: Sequence[TestFacts]) -> str:
    losses = [test.loss for test in tests if test.loss is not None]
    gaps = [test.longest_gap_s for test in tests if test.longest_gap_s is not None]
    if not losses or not gaps:
        return ""
    return words.say(
        "method.loss_text", share=words.plain(100.0 * max(losses)), gap=words.plain(max(gaps), 2)
    )


def _soft_tissue(words: Words, test: TestFacts, sample: RepSample | None) -> str:
    movement = test.movement
    tissue = soft_tissue(movement.angle, movement.proximal_segment, movement.distal_segment)
    text = words.say(
        "method.soft_tissue_text",
        limit=words.tenths(tissue.of_angle(0.0 if sample is None else sample.value)),
        source=words.say("method.source_text", text=tissue.source),
    )
    if tissue.share == 0.0:
        return text
    return f"{text}; {words.say('method.soft_tissue_share', share=words.plain(100.0 * tissue.share, 0))}"


def _published(words: Words, test: TestFacts) -> str:
    movement = test.movement
    if movement.mdc95 is None:
        return words.phrase(movement.error_note)
    source = words.say("method.source_text", text=movement.mdc_basis)
    text = words.say("method.published_mdc", limit=words.limit(movement.mdc95), text=source)
    return words.say("method.verify", text=text) if movement.error_note.endswith("(to verify)") else text
