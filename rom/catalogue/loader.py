"""The catalogue as a whole: shipped files, a user's own on top, every reference checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imu.errors import CatalogueError
from rom.catalogue.movement import ANGLE_KINDS, GATE_ACTIONS, SEGMENTS, AngleRule, Gate, Movement
from rom.catalogue.search import rank
from rom.catalogue.structure import Structure
from rom.catalogue.table import Row, merge_rows, read_rows

_HERE = Path(__file__).parent
_MOVEMENT_TEXTS = (
    "region",
    "joint",
    "movement",
    "proximal_segment_text",
    "distal_segment_text",
    "proximal_sensor",
    "distal_sensor",
    "start_position",
    "plane",
    "axis_isb_proximal",
    "jcs_reference",
    "euler_sequence",
    "clinical_angle_rule",
    "drift_note_or_alt_position",
    "mdc_basis",
    "reliability_manual",
    "reliability_imu",
    "shortened_at_end",
    "lengthened_at_end",
    "neural_structures_loaded",
    "compensation_to_monitor",
    "loinc_arom_found",
    "norm_source",
    "notes",
)
_NORMS = (
    "norm_aaos_deg",
    "norm_ama_deg",
    "norm_us38cfr_deg",
    "norm_booneazen_male_deg",
    "norm_cdc_20_44_F",
    "norm_cdc_20_44_M",
    "norm_cdc_45_69_F",
    "norm_cdc_45_69_M",
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Movements and structures by id, in the order of their files."""

    movements: Mapping[str, Movement]
    structures: Mapping[str, Structure]

    def movement(self, movement_id: str) -> Movement:
        """Return one movement; raise `CatalogueError` with the nearest names if there is none."""
        if movement_id not in self.movements:
            raise _unknown("movement", movement_id, self.find_movements(movement_id), "rom movements")
        return self.movements[movement_id]

    def structure(self, structure_id: str) -> Structure:
        """Return one structure; raise `CatalogueError` with the nearest names if there is none."""
        if structure_id not in self.structures:
            raise _unknown("structure", structure_id, self.find_structures(structure_id), "rom structures")
        return self.structures[structure_id]

    def find_movements(self, query: str) -> list[Movement]:
        """Return the movements that fit what a person typed, best first; all of them for no query."""
        names = {
            m.id: (
                m.title_pattern.replace("{side}", "").replace("{Side}", ""),
                m.movement,
                m.joint,
                m.region,
                m.lengthened_at_end,
                m.shortened_at_end,
            )
            for m in self.movements.values()
        }
        return [self.movements[found] for found in rank(query, names)]

    def find_structures(self, query: str) -> list[Structure]:
        """Return the structures that fit what a person typed, best first; all of them for no query."""
        names = {s.id: (s.name, s.region, s.type, s.complaints) for s in self.structures.values()}
        return [self.structures[found] for found in rank(query, names)]


def load_catalogue(extra: Path | None = None) -> Catalogue:
    """Return the shipped catalogue, with a user's own entries laid over it.

    Parameters
    ----------
    extra
        A CSV file of movements (first column `movement_id`) or structures (`structure_id`), or a folder
        with `movements.csv` and/or `structures.csv`. A known id changes only the cells that are filled;
        a new id must bring every column that has no default.

    Raises
    ------
    CatalogueError
        If a file breaks the schema or refers to what does not exist; names file, line and remedy.
    """
    movement_rows = read_rows(_HERE / "movements.csv")
    structure_rows = read_rows(_HERE / "structures.csv")
    for path in _own_files(extra):
        rows = read_rows(path)
        if rows and "movement_id" in rows[0].values:
            movement_rows = merge_rows(movement_rows, rows, "movement_id")
        elif rows and "structure_id" in rows[0].values:
            structure_rows = merge_rows(structure_rows, rows, "structure_id")
        elif rows:
            raise CatalogueError(
                f"{path}: expected a column movement_id or structure_id, got {', '.join(rows[0].values)}"
            )
    movements = {row.required("movement_id"): _movement(row) for row in movement_rows}
    known = frozenset(row.required("structure_id") for row in structure_rows)
    structures = {row.text("structure_id"): _structure(row, movements, known) for row in structure_rows}
    return Catalogue(movements, structures)


def _own_files(extra: Path | None) -> Sequence[Path]:
    if extra is None:
        return ()
    if not extra.is_dir():
        return (extra,)
    files = [extra / name for name in ("movements.csv", "structures.csv") if (extra / name).exists()]
    if not files:
        raise CatalogueError(
            f"{extra}: expected movements.csv or structures.csv in this folder, found neither"
        )
    return files


def _movement(row: Row) -> Movement:
    low, high = row.radians("plausible_min_deg"), row.radians("plausible_max_deg")
    if low is None or high is None or low >= high:
        raise row.refuse("plausible_max_deg", "two numbers, plausible_min_deg below plausible_max_deg")
    texts: dict[str, Any] = {column: row.text(column) for column in _MOVEMENT_TEXTS}
    grade = row.choice("evidence_grade", ("A", "B", "C"))
    mdc95 = row.positive_radians("mdc95_deg")
    norms = {column.removeprefix("norm_").removesuffix("_deg"): row.radians(column) for column in _NORMS}
    choices: dict[str, Any] = {
        "laterality": row.choice("laterality", ("L/R", "midline")),
        "proximal_segment": row.choice("proximal_segment", SEGMENTS),
        "distal_segment": row.choice("distal_segment", SEGMENTS),
        "gravity_observable": row.choice("gravity_observable", ("yes", "no", "position")),
        "evidence_grade": grade,
        "gain_sign": row.sign("gain_sign"),
    }
    return Movement(
        id=row.required("movement_id"),
        title_pattern=_title(row),
        rh_sign_right=row.sign("rh_sign_right"),
        rh_sign_left=row.sign("rh_sign_left"),
        norms={name: value for name, value in norms.items() if value is not None},
        plausible_min=low,
        plausible_max=high,
        sem=row.positive_radians("sem_deg"),
        mdc95=None if grade == "C" else mdc95,
        placeholder_mdc95=mdc95 if grade == "C" else None,
        angle=_angle(row),
        pointer=_pointer(row),
        gate=_gate(row),
        to_verify=row.words("to_verify"),
        **choices,
        **texts,
    )


def _title(row: Row) -> str:
    title = row.required("title")
    if ("{" in title) == (row.text("laterality") == "midline"):
        raise row.refuse("title", "{side} or {Side} in the title of a sided movement, and in no other")
    return title


def _angle(row: Row) -> AngleRule:
    kind: Any = row.choice("angle_kind", ANGLE_KINDS)
    inclined = kind == "inclination"
    segment: Any = row.choice("angle_segment", SEGMENTS if inclined else ("",)) or None
    zero: Any = row.choice("angle_zero", ("vertical", "horizontal") if inclined else ("",)) or None
    signs: tuple[Any, Any] = row.sign("angle_sign_right"), row.sign("angle_sign_left")
    return AngleRule(kind, _component(row, "angle_component"), *signs, segment, zero)


def _pointer(row: Row) -> AngleRule | None:
    if not row.text("pointer_segment"):
        return None
    segment = row.choice("pointer_segment", SEGMENTS)
    signs: tuple[Any, Any] = row.sign("pointer_sign_right"), row.sign("pointer_sign_left")
    return AngleRule("inclination", _component(row, "pointer_component"), *signs, segment, "vertical")


def _gate(row: Row) -> Gate | None:
    if not row.text("gate_segment"):
        return None
    limit = row.positive_radians("gate_limit_deg")
    if limit is None:
        raise row.refuse("gate_limit_deg", "a limit in degrees, because gate_segment is filled")
    action: Any = row.choice("gate_action", GATE_ACTIONS)
    return Gate(row.choice("gate_segment", SEGMENTS), _component(row, "gate_component"), limit, action)


def _component(row: Row, column: str) -> Any:
    return int(row.choice(column, ("0", "1", "2")))


def _structure(row: Row, movements: Mapping[str, Movement], known: frozenset[str]) -> Structure:
    def movement_ids(column: str) -> tuple[str, ...]:
        ids = row.words(column)
        for unknown in (found for found in ids if found not in movements):
            raise row.refuse(column, f"ids of movements, and {unknown!r} is none (see `rom movements`)")
        return ids

    def structure_ids(column: str) -> tuple[str, ...]:
        ids = row.words(column)
        for unknown in (found for found in ids if found not in known):
            raise row.refuse(column, f"ids of structures, and {unknown!r} is none (see `rom structures`)")
        return ids

    pass_movement = movement_ids("pass_movement_id")
    if len(pass_movement) != 1:
        raise row.refuse("pass_movement_id", "exactly one movement id")
    retests = movement_ids("retest_movement_ids")
    if not retests:
        raise row.refuse("retest_movement_ids", "at least one movement id")
    return Structure(
        id=row.required("structure_id"),
        name=row.required("structure"),
        type=row.required("type"),
        region=row.required("region"),
        pass_start_shortened=row.required("pass_start_shortened"),
        pass_end_lengthened=row.required("pass_end_lengthened"),
        pass_movement=pass_movement[0],
        pass_direction=row.text("pass_direction"),
        secondary_movements=movement_ids("secondary_dof"),
        retest_movements=retests,
        chain_up=structure_ids("chain_up"),
        chain_down=structure_ids("chain_down"),
        contact_caution=row.text("contact_caution"),
        complaints=row.text("complaints_in_background"),
        basis=row.text("basis"),
    )


def _unknown(what: str, given: str, near: Sequence[Movement | Structure], command: str) -> CatalogueError:
    hint = f"did you mean {' or '.join(entry.id for entry in near[:3])}? " if near else ""
    return CatalogueError(f"the catalogue knows no {what} {given!r}; {hint}`{command}` lists all")
