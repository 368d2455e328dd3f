"""The catalogue: complete, consistent, refusing with file and line, extensible by a person."""

import csv
import math
from pathlib import Path

import pytest

from imu.errors import CatalogueError
from rom.catalogue.loader import Catalogue, load_catalogue
from rom.catalogue.movement import AngleRule
from rom.catalogue.table import read_rows

REFERENCE = Path(__file__).parents[4] / "shared" / "reference"
SHIPPED = Path(__file__).parents[3] / "rom" / "catalogue"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_there_are_fifty_movements_and_fiftyone_structures(catalogue: Catalogue) -> None:
    assert (len(catalogue.movements), len(catalogue.structures)) == (50, 51)


@pytest.mark.parametrize("name", ["movements.csv", "structures.csv"])
def test_every_fact_of_the_reference_is_kept(name: str) -> None:
    if not (REFERENCE / name).exists():
        pytest.skip(f"../shared/reference/{name} is not here")
    with (REFERENCE / name).open(encoding="utf-8") as file:
        facts = list(csv.DictReader(file))
    key = next(iter(facts[0]))
    shipped = {row.values[key]: row.values for row in read_rows(SHIPPED / name)}
    for fact in facts:
        ours = shipped[fact[key]]
        for column, value in fact.items():
            text = f"{column}_text" if f"{column}_text" in ours else column
            assert ours[text] == value, (fact[key], column)


def test_seventeen_movements_have_a_placeholder_that_is_no_yardstick(catalogue: Catalogue) -> None:
    weak = [m for m in catalogue.movements.values() if m.evidence_grade == "C"]
    assert len(weak) == 17
    for movement in weak:
        assert movement.mdc95 is None
        assert movement.error_note == "no published MDC; using your own repeatability"


def test_published_mdc_is_277_sem(catalogue: Catalogue) -> None:
    pairs = [(m.sem, m.mdc95) for m in catalogue.movements.values() if m.sem and m.mdc95]
    assert len(pairs) == 25
    for sem, mdc95 in pairs:
        assert mdc95 / sem == pytest.approx(2.77, rel=0.06)


def test_angles_are_in_radians_inside(catalogue: Catalogue) -> None:
    ake = catalogue.movement("kn_ake")
    assert (ake.sem, ake.mdc95) == (pytest.approx(math.radians(2.9)), pytest.approx(math.radians(8.0)))
    assert ake.plausible_max == pytest.approx(math.pi / 2)
    assert catalogue.movement("hip_flexion").norms["us38cfr"] == pytest.approx(math.radians(125.0))


def test_titles_are_plain_words_with_the_side(catalogue: Catalogue) -> None:
    assert catalogue.movement("kn_ake").title("left") == "Left knee straightening"
    assert catalogue.movement("cerv_rotation").title("right") == "Neck turning to the right"
    assert catalogue.movement("cerv_flexion").title("midline") == "Neck bending forward"
    titles = {
        m.title(side)
        for m in catalogue.movements.values()
        for side in (("midline",) if m.laterality == "midline" else ("left", "right"))
    }
    sides = sum(1 if m.laterality == "midline" else 2 for m in catalogue.movements.values())
    assert len(titles) == sides, "two movements read the same"


def test_a_movement_refuses_a_side_it_does_not_have(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="kn_ake is measured left or right, got side 'midline'"):
        catalogue.movement("kn_ake").title("midline")
    with pytest.raises(CatalogueError, match="cerv_flexion is measured midline"):
        catalogue.movement("cerv_flexion").segments("left")


def test_segments_carry_their_side_except_on_the_midline(catalogue: Catalogue) -> None:
    assert catalogue.movement("kn_ake").segments("left") == ("left_thigh", "left_shank")
    assert catalogue.movement("sh_flexion").segments("right") == ("thorax", "right_upperarm")


@pytest.mark.parametrize(
    ("movement", "rule"),
    [
        ("kn_flexion", AngleRule("cardan_zxy", 0, -1, -1)),
        ("kn_ake", AngleRule("cardan_zxy", 0, -1, -1)),
        ("el_flexion", AngleRule("cardan_zxy", 0, 1, 1)),
        ("hip_abduction", AngleRule("cardan_zxy", 1, -1, 1)),
        ("cerv_rotation", AngleRule("cardan_zxy", 2, -1, 1)),
        ("fa_pronation", AngleRule("cardan_zxy", 2, 1, -1)),
        ("sh_flexion", AngleRule("elevation", 0, 1, 1)),
        ("sh_er90", AngleRule("cardan_xzy", 2, -1, 1)),
        ("an_wblt", AngleRule("inclination", 0, -1, -1, "shank", "vertical")),
    ],
)
def test_angle_rules_follow_the_conventions(catalogue: Catalogue, movement: str, rule: AngleRule) -> None:
    assert catalogue.movement(movement).angle == rule


def test_turns_about_the_medio_lateral_axis_are_the_same_on_both_sides(catalogue: Catalogue) -> None:
    for movement in catalogue.movements.values():
        rule = movement.angle
        if rule.kind in ("elevation", "inclination") or rule.component == 0:
            assert rule.sign_left == rule.sign_right, movement.id
        else:
            assert rule.sign_left == -rule.sign_right, movement.id


def test_signs_agree_with_the_right_hand_table_where_it_names_the_same_turn(catalogue: Catalogue) -> None:
    differing = {
        m.id
        for m in catalogue.movements.values()
        if m.angle.kind in ("cardan_zxy", "cardan_xzy", "plane_of_elevation")
        and (m.angle.sign_right, m.angle.sign_left) != (m.rh_sign_right, m.rh_sign_left)
    }
    assert differing == {"nd_ulnt1"}, "which counts the deficit although the movement is the extension"


def test_opposite_movements_have_opposite_signs(catalogue: Catalogue) -> None:
    for one, other in [
        ("hip_ir", "hip_er"),
        ("fa_pronation", "fa_supination"),
        ("wr_radial", "wr_ulnar"),
        ("an_inv", "an_ev"),
        ("sh_hadd", "sh_habd"),
        ("sh_er90", "sh_ir90"),
        ("cerv_flexion", "cerv_extension"),
    ]:
        first, second = catalogue.movement(one).angle, catalogue.movement(other).angle
        assert (first.sign_right, first.sign_left) == (-second.sign_right, -second.sign_left)


def test_deficits_gain_by_getting_smaller(catalogue: Catalogue) -> None:
    deficits = {m.id for m in catalogue.movements.values() if m.gain_sign < 0}
    assert deficits == {"kn_ake", "nd_slump", "nd_ulnt1"}


def test_the_published_gate_is_machine_readable(catalogue: Catalogue) -> None:
    gate = catalogue.movement("kn_ake").gate
    assert gate is not None
    assert (gate.segment, gate.action, gate.limit) == ("thigh", "invalid", pytest.approx(math.radians(5.0)))


def test_what_was_not_re_read_stays_marked(catalogue: Catalogue) -> None:
    for movement in catalogue.movements.values():
        if "us38cfr" in movement.norms:
            assert "norm_us38cfr_deg" in movement.to_verify
    assert catalogue.movement("cerv_frt").error_note.endswith("(to verify)")
    assert all("own knowledge" in s.basis for s in catalogue.structures.values())


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("biceps f", "hamstrings"),
        ("biceps", "biceps"),
        ("hamstrngs", "hamstrings"),
        ("Piriformis", "piriformis"),
        ("gastroc", "gastrocnemius"),
        ("tfl", "tfl_itb"),
    ],
)
def test_a_few_letters_find_the_structure(catalogue: Catalogue, typed: str, first: str) -> None:
    assert catalogue.find_structures(typed)[0].id == first


def test_search_keeps_what_cannot_be_meant_out(catalogue: Catalogue) -> None:
    assert [s.id for s in catalogue.find_structures("biceps f")] == ["hamstrings"]
    assert catalogue.find_structures("xyzzy") == []
    assert "hip_slr" in [m.id for m in catalogue.find_movements("biceps f")], "by what it lengthens"
    assert len(catalogue.find_movements("")) == 50


def test_an_unknown_id_names_its_neighbours(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="no movement 'kn_akee'; did you mean kn_ake"):
        catalogue.movement("kn_akee")
    with pytest.raises(CatalogueError, match="no structure 'xyzzy'; `rom structures` lists all"):
        catalogue.structure("xyzzy")


def test_a_user_overrides_one_cell(tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("# our clinic\nmovement_id,sem_deg,title\nkn_ake,2.0,{Side} hamstring test\n")
    ake = load_catalogue(own).movement("kn_ake")
    assert ake.sem == pytest.approx(math.radians(2.0))
    assert ake.title("right") == "Right hamstring test"
    assert ake.mdc95 == pytest.approx(math.radians(8.0))


def test_a_user_adds_a_structure_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "structures.csv").write_text(
        "structure_id,structure,type,region,pass_start_shortened,pass_end_lengthened,pass_movement_id,"
        "retest_movement_ids,chain_up\nplantaris,Plantaris,muscle,ankle,bent,straight,an_df_ke,an_df_ke,soleus\n"
    )
    plantaris = load_catalogue(tmp_path).structure("plantaris")
    assert plantaris.chain_up == ("soleus",)
    assert load_catalogue(tmp_path).find_structures("plantaris")[0].id == "plantaris"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("movement_id,sem_deg\nkn_ake,two\n", "line 2, column sem_deg: expected a number of degrees"),
        ("movement_id,sem_deg\nkn_ake,nan\n", "line 2, column sem_deg: expected a number of degrees"),
        ("movement_id,sem_deg\nkn_ake,-1\n", "line 2, column sem_deg: expected a positive number"),
        ("\n# x\nmovement_id,sem_deg\nkn_ake,1,2\n", "line 4: expected 2 cells as in the header, got 3"),
        (
            "movement_id,laterality\nkn_ake,both\n",
            "column laterality: expected one of L/R, midline, got 'both'",
        ),
        ("movement_id,sem\nkn_ake,2\n", "unknown column 'sem'"),
        ("movement_id,title\nnew_one,{Side} new\n", "line 2, column plausible_max_deg: expected two numbers"),
        ("movement_id,title\n,x\n", "line 2, column movement_id: expected a text"),
        ("movement_id,title\nkn_ake,Knee\n", "column title: expected {side} or {Side}"),
        ("movement_id,angle_kind\nkn_ake,sum\n", "column angle_kind: expected one of cardan_zxy"),
        ("structure_id,pass_movement_id\nscm,kn_fly\n", "ids of movements, and 'kn_fly' is none"),
        ("structure_id,chain_up\nscm,elbow\n", "ids of structures, and 'elbow' is none"),
        ("name,age\nx,2\n", "expected a column movement_id or structure_id, got name, age"),
        ("", "expected a header line"),
    ],
)
def test_a_broken_file_is_refused_with_file_line_and_remedy(
    tmp_path: Path, content: str, message: str
) -> None:
    own = tmp_path / "mine.csv"
    own.write_text(content)
    with pytest.raises(CatalogueError) as refusal:
        load_catalogue(own)
    assert message in str(refusal.value)
    assert "mine.csv" in str(refusal.value)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no such catalogue file"):
        load_catalogue(tmp_path / "absent.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x01\x80")
    with pytest.raises(CatalogueError, match="UTF-8"):
        load_catalogue(tmp_path / "x.csv")
    with pytest.raises(CatalogueError, match="found neither"):
        load_catalogue(_folder(tmp_path / "empty"))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
