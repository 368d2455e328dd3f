"""The tables of the clinical reference 2.9, to the printed digits, from the raw numbers; and refusals."""

from pathlib import Path

import numpy as np
import pytest

from imu.errors import InputError
from rom.clinic.published import ChangeReport, ReliabilityReport, change_reports, reliability_report
from rom.clinic.tables import read_changes, read_repeats

TABLES = Path(__file__).parents[4] / "shared" / "data" / "tables"


@pytest.fixture(scope="module")
def knees() -> ReliabilityReport:
    path = TABLES / "eliasziw1994_knee_extension.csv"
    if not path.exists():
        pytest.skip("../shared/data/tables/eliasziw1994_knee_extension.csv is not here")
    return reliability_report(read_repeats(path))


@pytest.fixture(scope="module")
def hips() -> dict[str, ChangeReport]:
    path = TABLES / "faraway_hips.csv"
    if not path.exists():
        pytest.skip("../shared/data/tables/faraway_hips.csv is not here")
    return {report.measure: report for report in change_reports(read_changes(path))}


def printed(value: float, text: str) -> bool:
    decimals = len(text.partition(".")[2])
    return f"{value:.{decimals}f}" == text


# ----------------------------------------------------------------------------- Eliasziw 1994, knees


def test_knee_mean_squares(knees: ReliabilityReport) -> None:
    found = knees.analysis
    assert (knees.people, knees.devices, knees.repetitions) == (29, ("universal", "lamoreux"), 3)
    assert printed(found.ms_subjects, "312.781")
    assert printed(found.ms_devices, "84.144")
    assert printed(found.ms_interaction, "4.5008")
    assert printed(found.ms_error, "0.8563")
    assert printed(found.ms_error_by_device[0], "0.7356")
    assert printed(found.ms_error_by_device[1], "0.9770")


def test_knee_reliability(knees: ReliabilityReport) -> None:
    found = knees.analysis
    assert printed(found.inter_random, "0.9451")
    assert printed(found.inter_fixed, "0.9613")
    assert printed(found.intra_random, "0.9842")
    assert printed(found.intra_fixed, "0.9840")
    assert [f"{value:.4f}" for value in found.intra_by_device] == ["0.9864", "0.9821"]


def test_knee_sem_and_mdc(knees: ReliabilityReport) -> None:
    found = knees.analysis
    assert printed(found.sem_intra, "0.925")
    assert [f"{value:.3f}" for value in found.sem_intra_by_device] == ["0.858", "0.988"]
    assert printed(found.sem_inter_random, "1.728")
    assert printed(found.sem_inter_fixed, "1.439")
    assert [f"{value:.2f}" for value in knees.mdc95_intra_by_device] == ["2.38", "2.74"]
    assert printed(knees.mdc95_inter_random, "4.79")


def test_knee_iccs(knees: ReliabilityReport) -> None:
    values = {name: [f"{one.value:.4f}" for one in forms] for name, forms in knees.icc.items()}
    assert values == {
        "universal": ["0.9865", "0.9865", "0.9866"],
        "lamoreux": ["0.9814", "0.9814", "0.9808"],
    }
    assert [one.form for one in knees.icc["universal"]] == ["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"]


def test_knee_agreement(knees: ReliabilityReport) -> None:
    found = knees.agreement
    assert printed(found.bias, "1.391")
    assert printed(found.sd, "1.732")
    assert printed(found.lower, "-2.004")
    assert printed(found.upper, "4.786")


# ------------------------------------------------------------------------------- Chatfield 1995, hips


def test_hip_means(hips: dict[str, ChangeReport]) -> None:
    rows = {
        (measure, row.name): (
            f"{row.before.mean:.2f}",
            f"{row.after.mean:.2f}",
            f"{row.mean_change:+.2f}",
        )
        for measure, report in hips.items()
        for row in report.groups
    }
    assert rows == {
        ("f", "control"): ("109.96", "113.75", "+3.79"),
        ("f", "treat"): ("116.50", "123.98", "+7.48"),
        ("r", "control"): ("25.00", "25.96", "+0.96"),
        ("r", "treat"): ("24.78", "31.37", "+6.59"),
    }
    spreads = [(f"{row.before.sd:.2f}", f"{row.after.sd:.2f}") for row in hips["f"].groups]
    assert spreads == [("9.65", "7.76"), ("12.24", "9.40")]


def test_hip_paired_changes(hips: dict[str, ChangeReport]) -> None:
    flexion, rotation = hips["f"].groups[1].people, hips["r"].groups[1].people
    assert printed(flexion.t, "4.189")
    assert printed(flexion.p, "0.00029")
    assert printed(flexion.effects["d_z"], "0.806")
    assert printed(flexion.effects["g_z"], "0.783")
    assert [f"{end:.2f}" for end in flexion.interval] == ["3.81", "11.15"]
    assert printed(rotation.t, "5.903")


def test_hip_ancova(hips: dict[str, ChangeReport]) -> None:
    flexion, rotation = hips["f"].ancova, hips["r"].ancova
    assert (f"{flexion.value:.3f}", f"{flexion.se:.3f}", f"{flexion.p:.4f}") == ("6.886", "2.313", "0.0052")
    assert (f"{rotation.se:.3f}", f"{rotation.p:.4f}") == ("1.822", "0.0041")
    assert rotation.value == pytest.approx(5.5805, abs=5e-5), (
        "5.581 in the reference is 5.58046 rounded twice"
    )
    assert printed(hips["f"].difference_scores.p, "0.205")


def test_hip_sides(hips: dict[str, ChangeReport]) -> None:
    flexion, rotation = hips["f"].sides, hips["r"].sides
    assert flexion is not None
    assert rotation is not None
    assert (f"{flexion.value:.3f}", f"{rotation.value:.3f}") == ("0.749", "0.371")
    assert flexion.form == "ICC(2,1)"


# --------------------------------------------------------------------------------- tables of our own


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_own_table_of_repeats_keeps_its_order(tmp_path: Path) -> None:
    scores = np.random.default_rng(1).normal(60, 9, (4, 2, 3)).round(3)
    lines = ["client,rater,trial,angle_deg"]
    for place in np.random.default_rng(2).permutation(24):
        n, t, m = np.unravel_index(place, (4, 2, 3))
        lines.append(f"p{n},r{t},{m},{scores[n, t, m]}")
    found = read_repeats(write(tmp_path / "x.csv", lines))
    assert sorted(found.devices) == ["r0", "r1"]
    assert np.sort(found.scores, axis=None) == pytest.approx(np.sort(scores, axis=None))
    means = {name: found.scores[:, place].mean() for place, name in enumerate(found.devices)}
    assert means == pytest.approx({f"r{t}": scores[:, t].mean() for t in range(2)})


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["person,device,rep,deg"], "expected a header and rows"),
        (["who,device,rep,deg", "1,a,1,3"], "expected a column for the person (person or subject"),
        (["person,device,rep,deg", "1,a,1,x"], "line 2: expected a number in deg, got 'x'"),
        (["person,device,rep,deg", "1,a,1,nan"], "line 2: expected a number in deg, got 'nan'"),
        (["person,device,rep,deg", "1,a,1"], "line 2: expected 4 cells, got 3"),
        (["person,device,rep,deg", "1,a,1,3", "1,a,1,4"], "line 3: person, device and repetition"),
        (["person,device,rep,deg", "1,a,1,3", "2,b,1,4"], "2 are missing; leave incomplete persons out"),
    ],
)
def test_a_broken_table_of_repeats_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_repeats(write(tmp_path / "x.csv", lines))
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["person,group,knee", "1,a,3"], "expected a pair of columns such as knee_pre and knee_post"),
        (["person,group,knee_pre,knee_post", "1,a,3,4", "2,b,3,4"], "name the treated one"),
        (
            ["person,group,knee_pre,knee_post", "1,treat,3,4", "1,rest,3,4"],
            "person 1 is in more than one group",
        ),
    ],
)
def test_a_broken_table_of_changes_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        change_reports(read_changes(write(tmp_path / "x.csv", lines)))
    assert message in str(refusal.value)


def test_the_sides_of_a_person_are_averaged(tmp_path: Path) -> None:
    lines = ["person,group,side,knee_pre,knee_post", "1,a,left,10,20", "2,b,left,1,2", "1,a,right,14,30"]
    (knee,) = read_changes(write(tmp_path / "x.csv", lines))
    people = knee.by_person()
    assert people.person == ("1", "2")
    assert people.before.tolist() == [12.0, 1.0]
    assert people.after.tolist() == [25.0, 2.0]
    assert knee.sides() is None, "person 2 has no right side"


def test_sides_of_a_person_count_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lines = ["person,side,arm,knee_before,knee_after"]
    for person in range(12):
        for side in ("left", "right"):
            before = rng.normal(100, 5)
            change = rng.normal(4 if person % 2 else 0, 2)
            lines.append(f"{person},{side},{'treated' if person % 2 else 'rest'},{before},{before + change}")
    (report,) = change_reports(read_changes(write(tmp_path / "x.csv", lines)))
    assert report.measure == "knee"
    assert [row.people.change.n for row in report.groups] == [6, 6]
    assert [row.before.n for row in report.groups] == [12, 12]
    assert report.sides is not None
    assert report.ancova_p_holm == report.ancova.p
