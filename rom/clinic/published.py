"""Two analyses that papers print, from the raw numbers: reliability of devices, change of groups."""

from dataclasses import dataclass

import numpy as np

from imu.errors import InputError
from rom.clinic.study import (
    Effect,
    PairedChange,
    Summary,
    ancova,
    change_difference,
    holm,
    paired_change,
    summarise,
)
from rom.clinic.tables import Changes, Repeats
from rom.reliability import ICC_FORMS, Agreement, Icc, TwoDevices, agreement, icc, two_way
from rom.verdict import mdc

_SINGLE = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)")


@dataclass(frozen=True, slots=True)
class ReliabilityReport:
    """Reliability of devices that each measured everyone repeatedly, in the unit of the table.

    `mdc95_*` are 1.96 sqrt(2) SEM. `icc` holds the single-measurement forms of each device over its
    repetitions. `agreement` compares the person means of the first two devices.
    """

    people: int
    devices: tuple[str, ...]
    repetitions: int
    analysis: TwoDevices
    mdc95_intra: float
    mdc95_intra_by_device: tuple[float, ...]
    mdc95_inter_random: float
    mdc95_inter_fixed: float
    icc: dict[str, list[Icc]]
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group: its joints as they stand, its people averaged over sides."""

    name: str
    before: Summary
    after: Summary
    mean_change: float
    people: PairedChange


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """Change of two groups in one measure; `ancova_p_holm` is adjusted over the measures of the table."""

    measure: str
    treated: str
    groups: list[GroupRow]
    ancova: Effect
    ancova_p_holm: float
    difference_scores: Effect
    sides: Icc | None


def reliability_report(repeats: Repeats) -> ReliabilityReport:
    """Return the reliability figures of a table of repeated scores."""
    n, _, m = repeats.scores.shape
    analysis = two_way(repeats.scores)
    means = repeats.scores.mean(axis=2)
    return ReliabilityReport(
        people=n,
        devices=repeats.devices,
        repetitions=m,
        analysis=analysis,
        mdc95_intra=mdc(analysis.sem_intra),
        mdc95_intra_by_device=tuple(mdc(sem) for sem in analysis.sem_intra_by_device),
        mdc95_inter_random=mdc(analysis.sem_inter_random),
        mdc95_inter_fixed=mdc(analysis.sem_inter_fixed),
        icc={
            name: [icc(repeats.scores[:, place], form) for form in ICC_FORMS if form in _SINGLE]
            for place, name in enumerate(repeats.devices)
        },
        agreement=agreement(means[:, 0], means[:, 1]),
    )


def change_reports(measures: list[Changes], treated: str | None = None) -> list[ChangeReport]:
    """Return how two groups changed, for every measure of a table.

    Parameters
    ----------
    measures
        From `rom.clinic.tables.read_changes`.
    treated
        Name of the treated group; None takes the one whose name starts with "treat".

    Raises
    ------
    InputError
        If there are not exactly two groups, or none is the treated one.
    """
    names = sorted(set(measures[0].group))
    chosen = treated or next((name for name in names if name.lower().startswith("treat")), None)
    if len(names) != 2 or chosen not in names:
        raise InputError(
            f"expected two groups, one of them treated, got {', '.join(names)}; name the treated one"
        )
    reports = [_change_report(measure, names, chosen) for measure in measures]
    adjusted = holm([report.ancova.p for report in reports])
    return [
        ChangeReport(
            report.measure,
            report.treated,
            report.groups,
            report.ancova,
            p,
            report.difference_scores,
            report.sides,
        )
        for report, p in zip(reports, adjusted, strict=True)
    ]


def _change_report(measure: Changes, names: list[str], treated: str) -> ChangeReport:
    people = measure.by_person()
    is_treated = np.array([group == treated for group in people.group])
    rows: list[GroupRow] = []
    for name in names:
        joints = np.array([group == name for group in measure.group])
        own = np.array([group == name for group in people.group])
        before, after = measure.before[joints], measure.after[joints]
        rows.append(
            GroupRow(
                name,
                summarise(before),
                summarise(after),
                float((after - before).mean()),
                paired_change(people.before[own], people.after[own]),
            )
        )
    effect = ancova(people.before, people.after, is_treated)
    sides = measure.sides()
    return ChangeReport(
        measure.measure,
        treated,
        rows,
        effect,
        effect.p,
        change_difference(people.before, people.after, is_treated),
        None if sides is None else icc(sides, "ICC(2,1)"),
    )
