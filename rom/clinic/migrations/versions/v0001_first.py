"""The first schema, of release 0.1.

Written down once and never changed: it must not follow the classes of the program as they grow. A table
is a line of words: `name:type`, with `?` where it may be unknown and `->table` for a reference.
"""

import re
from typing import Any, Literal

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "count": sa.Integer(),
    "number": sa.Double(),
    "moment": sa.DateTime(timezone=True),
    "day": sa.Date(),
    "flag": sa.Boolean(),
    "json": sa.JSON(),
    "text16": sa.String(16),
    "text32": sa.String(32),
    "text36": sa.String(36),
    "text64": sa.String(64),
}

TABLES: dict[str, str] = {
    "audit_event": """
        n:count at:moment actor:text station:text action:text16 kind:text32 object:text36
        row_digest:text64 note:text previous:text64 hash:text64 index(object)
    """,
    "audit_head": """
        id:count n:count hash:text64 at:moment?
    """,
    "client": """
        code:text16 birth_year:count? sex:text? height_cm:number? mass_kg:number? dominant_hand:text?
        dominant_leg:text? notes_sealed:text? unique(code)
    """,
    "practitioner": """
        name:text role:text? licence_ref:text? cert_claimed:text? unique(name)
    """,
    "consent": """
        client_id:->client version:text scope:text given_at:moment withdrawn_at:moment? index(client_id)
    """,
    "dexa_scan": """
        client_id:->client day:day region:text side:text lean_kg:number fat_kg:number? bmc_kg:number?
        machine:text? software:text? position_note:text? source_file:text? source_sha256:text?
        details:json? unique(client_id,day,region,side) index(client_id)
    """,
    "episode": """
        client_id:->client complaint:text regions:json side:text onset:day? goal_text:text?
        goal_movement:text? goal_deg:number? plan_visits_min:count? plan_visits_max:count?
        plan_weeks_min:number? plan_weeks_max:number? status:text index(client_id)
    """,
    "performance": """
        client_id:->client day:day kind:text value:number unit:text note:text? index(client_id)
    """,
    "visit": """
        episode_id:->episode practitioner_id:->practitioner seq:count started_at:moment state:text16
        station:text software_version:text reps_wanted:count passes_max:count discomfort_max:number
        ended_at:moment? location:text? magnetic_note:text? treatment_min:number? reaction:text?
        next_visit:day? signed_by:text? signed_at:moment? unique(episode_id,seq) index(episode_id)
    """,
    "adverse_event": """
        visit_id:->visit grade:text description:text action:text? index(visit_id)
    """,
    "calibration": """
        visit_id:->visit kind:text joint:text side:text residual_deg:number? document:json?
        index(visit_id)
    """,
    "halt": """
        visit_id:->visit code:text reason:text action:text told:text index(visit_id)
    """,
    "history": """
        visit_id:->visit nprs_now:number nprs_worst:number? nprs_day:number? medication:text?
        aggravators:text? repetitive_tasks:text? training_load:text? prior_injury:text? news:text?
        index(visit_id)
    """,
    "palpation": """
        visit_id:->visit structure:text side:text texture:text tender:count reproduces_familiar:flag?
        depth:text? index(visit_id)
    """,
    "pressure_pain": """
        visit_id:->visit site:text side:text trial1_kpa:number trial2_kpa:number? trial3_kpa:number?
        probe_cm2:number index(visit_id)
    """,
    "recording": """
        visit_id:->visit path:text sha256:text64 bytes:count recording_id:text recorded_at:moment
        duration_s:number? simulated:flag unique(sha256) index(visit_id)
    """,
    "score": """
        client_id:->client visit_id:->visit? instrument:text value:number unit:text version:text?
        moment:text? index(client_id) index(visit_id)
    """,
    "screening_answer": """
        visit_id:->visit code:text answer:text level:text? detail:text regions:json override_by:text
        override_reason:text unique(visit_id,code) index(visit_id)
    """,
    "sensor_setup": """
        visit_id:->visit sensor:text segment:text kind:text rate_hz:number mounted_at:moment
        serial:text? firmware:text? placement:text? acc_range_g:number? gyro_range_dps:number?
        removed_at:moment? strap_conflict:flag index(visit_id)
    """,
    "state_change": """
        visit_id:->visit n:count source:text target:text actor:text reason:text? unique(visit_id,n)
        index(visit_id)
    """,
    "treatment": """
        visit_id:->visit structure:text side:text technique:text started_at:moment tool:text?
        ended_at:moment? ended_because:text? index(visit_id)
    """,
    "treatment_pass": """
        treatment_id:->treatment n:count started_at:moment ended_at:moment? recording_id:->recording?
        movement:text? t0_s:number? t1_s:number? start_deg:number? end_deg:number?
        mean_speed_dps:number? discomfort:number? stop_reason:text? contact:text? unique(treatment_id,n)
        index(treatment_id)
    """,
    "trial": """
        visit_id:->visit recording_id:->recording n:count movement:text side:text phase:text
        aggregate:text recorded_at:moment active_passive:text value_deg:number? sigma_deg:number?
        restrapped_since_baseline:flag? elapsed_min:number? position_variant:text? examiner:text?
        nprs:number? sample:json? quality:json? provenance:json? index(recording_id) index(visit_id)
    """,
    "home_task": """
        client_id:->client visit_id:->visit kind:text text:text dose:text? trial_id:->trial? key:text?
        index(client_id) index(visit_id)
    """,
    "outcome": """
        visit_id:->visit kind:text first_trial_id:->trial second_trial_id:->trial difference_deg:number
        sentence:text low_deg:number? high_deg:number? mdc_used_deg:number? mdc_basis:text?
        p_gt_zero:number? p_gt_mdc:number? verdict:text? warmup_adjusted_deg:number? document:json?
        index(visit_id)
    """,
    "rep": """
        trial_id:->trial n:count t0_s:number t1_s:number value_deg:number? start_deg:number?
        end_peak_deg:number? end_plateau_deg:number? rom_deg:number? sigma_deg:number?
        duration_s:number? peak_velocity_dps:number? sparc:number? ldlj:number? hold_s:number?
        compensation_deg:json? warm_up:flag valid:flag reject_reason:text? nprs:number? index(trial_id)
    """,
    "home_log": """
        client_id:->client task_id:->home_task? trial_id:->trial? day:day done:flag? soreness:number?
        rom_deg:number? note:text? index(client_id) index(task_id)
    """,
}


def upgrade() -> None:
    """Create every table and the empty end of the audit trail."""
    for table, words in TABLES.items():
        _create(table, words.split())
    op.execute(
        sa.text("INSERT INTO audit_head (id, n, hash) VALUES (1, 0, :start)").bindparams(start="0" * 64)
    )


def _create(table: str, words: list[str]) -> None:
    key = {"audit_event": "n"}.get(table, "id")
    columns = [_column(table, word, key) for word in words if ":" in word]
    if not table.startswith("audit_"):
        columns += [_column(table, "id:text36", key), _column(table, "at:moment", key)]
    rules = [re.fullmatch(r"(unique|index)\((.*)\)", word) for word in words if ":" not in word]
    named = [(rule[1], rule[2].split(",")) for rule in rules if rule]
    unique = [
        sa.UniqueConstraint(*names, name=f"uq_{table}_{names[0]}")
        for kind, names in named
        if kind == "unique"
    ]
    op.create_table(table, *columns, sa.PrimaryKeyConstraint(key, name=f"pk_{table}"), *unique)
    for kind, names in named:
        if kind == "index":
            op.create_index(f"ix_{table}_{names[0]}", table, names)


def _column(table: str, word: str, key: str) -> sa.Column[Any]:
    name, kind = word.rstrip("?").split(":")
    unknown = word.endswith("?")
    counted: bool | Literal["auto"] = False if name == key else "auto"
    if not kind.startswith("->"):
        return sa.Column(name, TYPES[kind], nullable=unknown, autoincrement=counted)
    reference = sa.ForeignKey(f"{kind[2:]}.id", name=f"fk_{table}_{name}")
    return sa.Column(name, TYPES["text36"], reference, nullable=unknown)
