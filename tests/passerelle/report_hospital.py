"""A workspace of a made-up hospital, written as a run writes it: the same Delta tables, no engine."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from passerelle import runs
from passerelle.workspace import Workspace
from spark_jobs import ops

HOSTILE = "<script>alert('gap')</script>"
SECRETS = ("ZURBRIGGEN", "06 12 34 56 78", "IPP-8001-X", "né le 11/02/1943")  # planted where no report may look
BUCKETS = 2
SETTINGS = {
    "engine": {"value": "embedded", "origin": "default"},
    "outbox_url": {"value": "postgresql://clerk:hunter2@db.chu.example/outbox", "origin": "environment"},
}

# Source table → (read, [(outcome, rule, rows)]). The sums hold.
ACCOUNTS: dict[str, tuple[int, list[tuple[str, str | None, int]]]] = {
    "sejour": (4, [("mapped", None, 3), ("quarantined", "no such person", 1)]),
    "resultat": (
        12_345,
        [
            ("mapped", None, 12_000),
            ("routed", "observation", 200),
            ("merged", "duplicate_row", 45),
            ("excluded", "cancelled_by_laboratory", 90),
            ("quarantined", "no such stay", 10),
        ],
    ),
    "dictionnaire": (50, [("excluded", "reference_table", 50)]),
}
CHECKS = [
    ("isRequired", "person", "person_id", 0, 4, "passed", "fatal"),
    ("isStandardValidConcept", "measurement", "measurement_concept_id", 3, 12, "failed", "convention"),
    *(("isForeignKey", "measurement", f"column_{i}", 1, 12, "failed", "convention") for i in range(8)),
    ("plausibleValueLow", "measurement", "value_as_number", None, None, "not evaluated", "characterization"),
]


def workspace_of(root: Path) -> Workspace:
    """Two sources, of which the first is invented and says so; models, an outbox and a demo."""
    workspace = Workspace(root)
    add_source(workspace, "alpha", "Alpha hospital", "A fictitious hospital: every patient is synthetic.")
    add_source(workspace, "beta", "Beta hospital", "Records of 2024.")
    add_models(workspace)
    add_outbox(workspace)
    (root / "report" / "demo.json").write_text(json.dumps([{"step": "hospital", "seconds": 4.2, "note": HOSTILE}]))
    (root / "identity").mkdir()
    (root / "identity" / "crosswalk").write_text(" ".join(SECRETS))
    return workspace


def add_source(workspace: Workspace, name: str, label: str, description: str) -> runs.Run:
    """One complete run of one source."""
    first, _ = workspace.admit(name, buckets=BUCKETS, secrets="fingerprint")
    run = runs.begin(workspace.lake, name, engine="embedded", passerelle="9.9.9", settings=SETTINGS)
    tables = cdm_tables(first, label, description)
    for table, rows in tables.items():
        path = workspace.lake.omop(table)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(str(path), pa.Table.from_pylist(rows), mode="append", partition_by=["person_bucket"])
    add_accounts(workspace, run, ACCOUNTS)
    add_bookkeeping(workspace, run)
    run.record("extracted", 1.5, tables={})
    run.record("mapped", 65.0, vocabulary="release 2099", tables={n: {"rows": len(r)} for n, r in tables.items()})
    run.record("checked", 0.4)
    now = datetime.now(UTC)
    common = {"run_id": run.run_id, "source": name, "created_at": now}
    versions = dict.fromkeys(tables, int(first > 0))
    ops.append(
        workspace.lake, "snapshot", [{**common, "table": f"omop.{t}", "version": v} for t, v in versions.items()]
    )
    run.record("published", 0.1)
    return run


def add_accounts(workspace: Workspace, run: runs.Run, accounts: dict[str, Any]) -> None:
    common = {"run_id": run.run_id, "source": run.source}
    rows = []
    for table, (read, outcomes) in accounts.items():
        rows.append({**common, "source_table": table, "outcome": "read", "rule": None, "rows": read})
        rows += [{**common, "source_table": table, "outcome": o, "rule": r, "rows": n} for o, r, n in outcomes]
    ops.append(workspace.lake, "ledger", rows)


def add_bookkeeping(workspace: Workspace, run: runs.Run) -> None:
    """Quarantine, gaps and checks."""
    common = {"run_id": run.run_id, "source": run.source}
    aside = [
        {"source_table": "resultat", "step": "measurement", "line": 40 + i, "key_hash": 9_000 + i, "whole_row": True}
        for i in range(10)
    ]
    aside.append({"source_table": "sejour", "step": "extract", "line": 3, "key_hash": 77, "whole_row": False})
    ops.append(workspace.lake, "quarantine", [{**common, "reason": "no such stay", **entry} for entry in aside])
    unknown = "code not in this copy of the vocabulary"
    gaps = [
        ("ANALYSES", f"A{i:02d}", HOSTILE if i == 0 else "", unknown, 500 - i) for i in range(20)
    ] + [("CIM10", "I50.19", "insuffisance", "mapped to the parent code", 7)]  # fmt: skip
    ops.append(workspace.lake, "mapping_gap", [
        {**common, "mapping": "measurement", "field": "measurement", "vocabulary": vocabulary, "code": code,
         "label": label, "reason": reason, "rows": rows} for vocabulary, code, label, reason, rows in gaps
    ])  # fmt: skip
    ops.append(workspace.lake, "quality", [
        {**common, "check": check, "cdm_table": table, "cdm_field": field, "violated": violated, "rows": rows,
         "threshold": 0.0, "status": status, "severity": severity}
        for check, table, field, violated, rows, status, severity in CHECKS
    ])  # fmt: skip


def cdm_tables(first: int, label: str, description: str) -> dict[str, list[dict[str, Any]]]:
    """Six persons in two buckets, a stay each, and a result a month, of which one month is missing."""
    persons = [(first * 100 + i, first + i % BUCKETS) for i in range(6)]
    site = first * 10 + 1
    months = [date(2024, month, 5) for month in (1, 2, 4)]
    return {
        "cdm_source": [{"cdm_source_name": label, "source_description": description, "person_bucket": first}],
        "care_site": [{"care_site_id": site, "care_site_name": f"Ward <b>{first}</b>", "person_bucket": first}],
        "person": [
            {"person_id": p, "gender_concept_id": 8507, "person_source_value": SECRETS[2], "person_bucket": b}
            for p, b in persons
        ],
        "visit_occurrence": [
            {
                "visit_occurrence_id": p + 50, "person_id": p, "care_site_id": site, "visit_concept_id": 9201,
                "visit_start_date": months[0], "person_bucket": b,
            } for p, b in persons
        ],
        "measurement": [
            {
                "measurement_id": p * 10 + i, "person_id": p, "visit_occurrence_id": p + 50, "measurement_date": day,
                "measurement_concept_id": 0 if i == 2 else 3016723, "person_bucket": b,
            } for p, b in persons[:3] for i, day in enumerate(months)
        ],
        "note": [
            {"note_id": p, "person_id": p, "note_date": months[0] + timedelta(days=1), "note_text": " ".join(SECRETS),
             "person_bucket": b} for p, b in persons
        ],
    }  # fmt: skip


def add_models(workspace: Workspace) -> None:
    """The plain form, and the form that an evaluation gives."""
    folder = workspace.report.parent / "models"
    folder.mkdir(parents=True)
    interval = {"value": 0.91, "low": 0.85, "high": 0.96, "resamples": 300}
    trivial = {"value": 0.62, "low": 0.55, "high": 0.7, "resamples": 300}
    evaluated = {
        "model": "prescription_review",
        "model_version": "0.1.3",
        "view_contract": "v1",
        "snapshot_id": "some other run",
        "rows": {"orders": 1200},
        "evaluation": {
            "persons": 300,
            "scores": {"model": {"auroc": interval}, "rule alerts": {"auroc": trivial}},
            "gain_over": {"rule alerts": {"auroc": {"value": 0.29, "low": 0.2, "high": 0.38}}},
            "calibration": {"ece": 0.014},
        },
        "months": [
            {
                "month": "2025-03",
                "n": 410,
                "positives": 12,
                "expected": 24.04,
                "ratio": trivial,
                "auroc": None,
                "alerts_per_100": 4.96,
            }
        ],
        "problem_classes": {"macro_f1": {}, "table": {"4": {"4": 31.0, "6": 2.0}, "6": {"4": 3.0, "6": 17.0}}},
        "examples": [
            {
                "right": True,
                "problem": "surdosage",
                "probability": 0.97,
                "message": f"dose {HOSTILE}",
                "reasons": ["a", "b"],
            },
            {"right": False, "problem": "", "probability": 0.61, "message": "autre ligne", "reasons": []},
        ],
        "notes": [HOSTILE],
        "plots": {"calibration": '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'},
    }
    (folder / "prescription_review.json").write_text(json.dumps(evaluated))
    plain = {"name": "auroc", "value": 0.7, "low": 0.6, "high": 0.8, "baseline": 0.5, "baseline_name": "season"}
    (folder / "respiratory_peaks.json").write_text(json.dumps({"model": "respiratory_peaks", "metrics": [plain]}))


def add_outbox(workspace: Workspace) -> None:
    """Two predictions, as they wait to be delivered."""
    from fhir_adapters.example import INTERACTION, RENAL_DOSE
    from fhir_adapters.outbox import open_outbox

    outbox = open_outbox(workspace.outbox_url)
    outbox.enqueue([RENAL_DOSE, INTERACTION])
    outbox.close()
