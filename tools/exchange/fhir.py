"""A FHIR R4 bundle: one Observation per trial, codes that were verified, and our own for the rest.

Only resources that a receiving system can read without a server: a collection with the person (a pseudonym,
never a name), the sensors, the observations, and the code system and concept map they use. Written as plain
JSON; the official models judge it in the tests.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from rom.catalogue.movement import Movement
from rom.trial import Trial
from tools.exchange.outgoing import Outgoing

Resource = dict[str, Any]

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
MOVEMENTS = "urn:romcap:codes:movement"
MEASURES = "urn:romcap:codes:measure"
DAY_EXTENSION = "urn:romcap:extension:day"
DROPS = "the angle curve, passes, samples, events and calibration"

ACTIVE_LOINC: Mapping[tuple[str, str], str] = {
    ("sh_flexion", "left"): "41295-7",
    ("sh_flexion", "right"): "41307-0",
    ("sh_flexion", ""): "41389-8",
    ("sh_extension", "left"): "41297-3",
    ("sh_extension", "right"): "41309-6",
    ("sh_extension", ""): "41385-6",
    ("sh_abduction", "left"): "41299-9",
    ("sh_abduction", ""): "41381-5",
    ("sh_er0", ""): "41387-2",
    ("sh_hadd", "right"): "56044-1",
    ("el_flexion", "right"): "41355-9",
    ("kn_flexion", "left"): "41343-5",
    ("kn_flexion", "right"): "41347-6",
    ("kn_extension", "left"): "41345-0",
    ("kn_extension", "right"): "41349-2",
}
"""LOINC codes of active motion by movement and side; without a side the code is for either. Only codes that
were seen in use (reference: clinical 5.1); none is inferred from its neighbours, and the deprecated ones and
those for a position that differs (rotation at 90 degrees of abduction) are left out."""

_WIDER = {"sh_er0": "wider"}
"""Movements whose unsided code says less than ours: it names no position of the arm."""

_MEASURES: Mapping[str, str] = {
    "start": "Angle at rest before the movement, mean of the valid reps",
    "end": "Angle at the end of the movement, one value a valid rep",
    "range": "From start to end, mean of the valid reps",
    "error": "One sigma of the sensor-level error of the end, straps included",
    "mdc95": "Published minimal detectable change at 95 %",
    "reps": "Number of valid reps",
}


def write_bundle(trials: Sequence[Outgoing], out: Path) -> None:
    """Write the trials as one bundle of type `collection`.

    The same trials give the same bytes: ids are made of the recordings' fingerprints.
    """
    out.write_text(json.dumps(bundle(trials), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def bundle(trials: Sequence[Outgoing]) -> Resource:
    """Return the trials as a FHIR R4 Bundle."""
    resources: dict[str, Resource] = {}
    for each in trials:
        person = _urn("Patient", each.subject)
        resources.setdefault(person, _patient(each))
        devices: list[str] = []
        for info in each.sensors:
            device = _urn("Device", each.content, info.sensor)
            resources.setdefault(device, _device(info.kind, info.serial, person))
            devices.append(device)
        key = _urn("Observation", each.content, each.movement, each.side, each.phase)
        resources[key] = _observation(each, person, devices)
    movements = {trial.movement.id: trial.movement for trial in (each.measured() for each in trials)}
    resources[_urn("CodeSystem", MOVEMENTS)] = _code_system(
        MOVEMENTS, "Movements", {name: _plain(movement) for name, movement in movements.items()}
    )
    resources[_urn("CodeSystem", MEASURES)] = _code_system(MEASURES, "Measures", _MEASURES)
    concepts = _concept_map(movements)
    if concepts is not None:
        resources[_urn("ConceptMap", *movements)] = concepts
    entries = [{"fullUrl": url, "resource": resource} for url, resource in resources.items()]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _observation(each: Outgoing, person: str, devices: Sequence[str]) -> Resource:
    trial = each.measured()
    movement, reps = trial.movement, trial.valid_reps
    resource: Resource = {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:romcap:recording-sha256", "value": each.content}],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "exam",
                    }
                ]
            }
        ],
        "code": {"coding": _codings(movement, each.side), "text": movement.title(trial.side)},
        "subject": {"reference": person},
        "bodySite": {"text": f"{each.side} {movement.joint}"},
        "method": {"text": _method(trial)},
        "note": [{"text": text} for text in _notes(each)],
    }
    if each.simulated:
        resource["meta"] = {
            "tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]
        }
    if each.when is not None:
        resource["effectiveDateTime"] = each.when.isoformat()
    if each.day is not None:
        resource["extension"] = [{"url": DAY_EXTENSION, "valueInteger": each.day}]
    if len(devices) == 1:
        resource["device"] = {"reference": devices[0]}
    elif devices:
        resource["extension"] = [
            *resource.get("extension", []),
            *({"url": "urn:romcap:extension:sensor", "valueReference": {"reference": d}} for d in devices),
        ]
    if not reps:
        resource["dataAbsentReason"] = {"text": "no valid rep"}
        return resource
    resource["valueQuantity"] = _degrees(fmean(rep.end for rep in reps))
    resource["component"] = [
        _component("start", _degrees(fmean(rep.start for rep in reps))),
        *(_component("end", _degrees(rep.end)) for rep in reps),
        _component("range", _degrees(fmean(rep.range for rep in reps))),
        _component("reps", {"value": len(reps), "unit": "1", "system": UCUM, "code": "1"}),
    ]
    sigmas = [rep.end_sigma for rep in reps if math.isfinite(rep.end_sigma)]
    if sigmas:
        resource["component"].append(_component("error", _degrees(fmean(sigmas))))
    if movement.mdc95 is not None:
        resource["component"].append(_component("mdc95", _degrees(movement.mdc95)))
    return resource


def _codings(movement: Movement, side: str) -> list[Resource]:
    own = {"system": MOVEMENTS, "code": movement.id, "display": _plain(movement)}
    loinc = ACTIVE_LOINC.get((movement.id, side)) or ACTIVE_LOINC.get((movement.id, ""))
    return [own] if loinc is None else [own, {"system": LOINC, "code": loinc}]


def _concept_map(movements: Mapping[str, Movement]) -> Resource | None:
    targets: dict[str, list[Resource]] = {}
    for (name, side), code in ACTIVE_LOINC.items():
        if name in movements:
            target = {"code": code, "equivalence": "narrower", "comment": f"the {side} side alone"}
            whole = {"code": code, "equivalence": _WIDER.get(name, "equivalent")}
            targets.setdefault(name, []).append(target if side else whole)
    if not targets:
        return None
    elements = [{"code": name, "target": found} for name, found in targets.items()]
    return {
        "resourceType": "ConceptMap",
        "status": "draft",
        "name": "MovementsToLoinc",
        "group": [{"source": MOVEMENTS, "target": LOINC, "element": elements}],
    }


def _code_system(url: str, name: str, concepts: Mapping[str, str]) -> Resource:
    return {
        "resourceType": "CodeSystem",
        "url": url,
        "name": name,
        "status": "draft",
        "content": "fragment" if url == MOVEMENTS else "complete",
        "concept": [{"code": code, "display": words} for code, words in concepts.items()],
    }


def _patient(each: Outgoing) -> Resource:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:romcap:pseudonym", "value": each.subject or "not named"}],
    }


def _device(kind: str, serial: str, person: str) -> Resource:
    device: Resource = {
        "resourceType": "Device",
        "type": {"text": f"inertial sensor ({kind})"},
        "patient": {"reference": person},
    }
    return device | ({"serialNumber": serial} if serial else {})


def _component(code: str, quantity: Resource) -> Resource:
    coding = {"system": MEASURES, "code": code, "display": _MEASURES[code]}
    return {"code": {"coding": [coding]}, "valueQuantity": quantity}


def _degrees(angle: float) -> Resource:
    return {"value": round(math.degrees(angle), 2), "unit": "degree", "system": UCUM, "code": "deg"}


def _plain(movement: Movement) -> str:
    return f"{movement.joint}: {movement.movement}"


def _method(trial: Trial) -> str:
    source = trial.provenance
    sensors = "one inertial sensor" if source["one_sensor"] else "inertial sensors on both segments"
    return f"active motion, {sensors}, filter {source['filter']}, romcap {source['software']['romcap']}"


def _notes(each: Outgoing) -> list[str]:
    trial = each.measured()
    words = [f"phase: {each.phase}"] if each.phase else []
    words.append(f"published error: {trial.movement.error_note}; calibration: {trial.calibration_source}")
    return [*words, *trial.warnings, *([each.notes] if each.notes else [])]


def _urn(*parts: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, ' '.join(('romcap', *parts)))}"
