"""`rom movements` and `rom structures`: look things up with a few letters."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import CatalogueError
from rom.wording import yardstick
from tools.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from rom.catalogue.movement import Movement
    from rom.catalogue.structure import Structure

QueryArgument = Annotated[
    list[str] | None,
    typer.Argument(help="A few letters of id, name, joint or complaint.", metavar="[WORDS]..."),
]
ExtraOption = Annotated[
    Path | None, typer.Option("--catalogue", help="Your own CSV file or folder, laid over the shipped one.")
]


def movements(query: QueryArgument = None, *, extra: ExtraOption = None, as_json: JsonOption = False) -> None:
    """List the movements, or the one that fits in full: how it is read, its error, its norms."""
    from rom.catalogue.loader import load_catalogue

    words = " ".join(query or [])
    found = load_catalogue(extra).find_movements(words)
    if not found:
        raise CatalogueError(f"no movement fits {words!r}; `rom movements` lists all")
    if _is_one(words, [movement.id for movement in found]):
        found = found[:1]
        text = _movement_page(found[0])
    else:
        text = "\n".join(_movement_line(movement) for movement in found)
    document = {"schema": "romcap.movements/1", "movements": [_movement_document(one) for one in found]}
    emit(document, text, as_json=as_json)


def structures(
    query: QueryArgument = None, *, extra: ExtraOption = None, as_json: JsonOption = False
) -> None:
    """List the structures, or the one that fits in full: its pass, re-tests, neighbours, cautions."""
    from rom.catalogue.loader import load_catalogue

    words = " ".join(query or [])
    found = load_catalogue(extra).find_structures(words)
    if not found:
        raise CatalogueError(f"no structure fits {words!r}; `rom structures` lists all")
    if _is_one(words, [structure.id for structure in found]):
        found = found[:1]
        text = _structure_page(found[0])
    else:
        text = "\n".join(
            f"{one.id:<22}{one.name} ({one.region}), pass on {one.pass_movement}" for one in found
        )
    document = {"schema": "romcap.structures/1", "structures": [_structure_document(one) for one in found]}
    emit(document, text, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("movements")(movements)
    app.command("structures")(structures)


def _is_one(words: str, ids: Sequence[str]) -> bool:
    return len(ids) == 1 or words.strip().lower() == ids[0]


def _movement_line(movement: "Movement") -> str:
    error = "no published MDC" if movement.mdc95 is None else f"MDC95 {yardstick(movement.mdc95)}"
    name = _name(movement)
    return f"{movement.id:<22}{name[0].upper()}{name[1:]}; {error}, evidence {movement.evidence_grade}"


def _name(movement: "Movement") -> str:
    return movement.title_pattern.replace("{Side} ", "").replace("the {side}", "either side")


def _movement_page(movement: "Movement") -> str:
    rule = movement.angle
    error = movement.error_note
    if movement.mdc95 is not None:
        sem = "" if movement.sem is None else f"SEM {yardstick(movement.sem)}, "
        error = f"{sem}MDC95 {yardstick(movement.mdc95)}: {error}"
    norms = ", ".join(
        f"{name} {yardstick(value)}" + (" (to verify)" if _marked(movement, name) else "")
        for name, value in movement.norms.items()
    )
    reading = rule.kind if rule.segment is None else f"{rule.kind} of the {rule.segment} from {rule.zero}"
    side = "midline" if movement.laterality == "midline" else "left, right"
    rows = {
        "measured on": side,
        "segments": f"{movement.proximal_segment_text} > {movement.distal_segment_text}",
        "sensors": f"{movement.proximal_sensor} | {movement.distal_sensor}",
        "start": movement.start_position,
        "angle": f"{movement.clinical_angle_rule} ({reading}, axis {'ZXY'[rule.component]}, "
        f"sign right {rule.sign_right:+d}, left {rule.sign_left:+d})",
        "more range is": "less angle" if movement.gain_sign < 0 else "more angle",
        "seen by gravity": f"{movement.gravity_observable} {movement.drift_note_or_alt_position}".strip(),
        "error": f"{error} (evidence {movement.evidence_grade})",
        "norms": norms,
        "plausible": f"{yardstick(movement.plausible_min)} to {yardstick(movement.plausible_max)}",
        "shortened": movement.shortened_at_end,
        "lengthened": movement.lengthened_at_end,
        "nerves": movement.neural_structures_loaded,
        "watch": movement.compensation_to_monitor,
        "notes": movement.notes,
    }
    return _page(f"{movement.id}: {_name(movement)}", rows)


def _structure_page(structure: "Structure") -> str:
    rows = {
        "type": f"{structure.type}, {structure.region}",
        "pass": f"{structure.pass_start_shortened} -> {structure.pass_end_lengthened}",
        "pass movement": f"{structure.pass_movement} ({structure.pass_direction})",
        "re-test": ", ".join(structure.retest_movements),
        "chain up": ", ".join(structure.chain_up),
        "chain down": ", ".join(structure.chain_down),
        "caution": structure.contact_caution,
        "complaints": structure.complaints,
        "basis": f"{structure.basis} (to verify)",
    }
    return _page(f"{structure.id}: {structure.name}", rows)


def _page(title: str, rows: Mapping[str, str]) -> str:
    return "\n".join([title, *(f"  {name:<16}{text}" for name, text in rows.items() if text)])


def _movement_document(movement: "Movement") -> dict[str, object]:
    texts = {
        name: value
        for name in movement.__slots__
        if isinstance(value := getattr(movement, name), str | int) and name != "title_pattern"
    }
    rule, gate = movement.angle, movement.gate
    return {
        **texts,
        "title": _name(movement),
        "norms_deg": {name: math.degrees(value) for name, value in movement.norms.items()},
        "plausible_min_deg": math.degrees(movement.plausible_min),
        "plausible_max_deg": math.degrees(movement.plausible_max),
        "sem_deg": _or_none(movement.sem),
        "mdc95_deg": _or_none(movement.mdc95),
        "placeholder_mdc95_deg": _or_none(movement.placeholder_mdc95),
        "angle": asdict(rule),
        "pointer": None if movement.pointer is None else asdict(movement.pointer),
        "gate": None
        if gate is None
        else {
            "segment": gate.segment,
            "component": gate.component,
            "limit_deg": math.degrees(gate.limit),
            "action": gate.action,
        },
        "to_verify": list(movement.to_verify),
        "error_note": movement.error_note,
    }


def _structure_document(structure: "Structure") -> dict[str, object]:
    return asdict(structure)


def _marked(movement: "Movement", norm: str) -> bool:
    return any(column in movement.to_verify for column in (f"norm_{norm}", f"norm_{norm}_deg"))


def _or_none(angle: float | None) -> float | None:
    return None if angle is None else math.degrees(angle)
