"""Predictions about invented patients, one or two of each case: what the examples and many tests are built from.

Test data. No model said any of it, and no person exists.
"""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from models.contract import Cohort, Contribution, Document, Evidence, Forecast, Interval, Prediction, Span

RENAL_DOSE = Prediction(
    model="prescription_review",
    model_version="1.0.0",
    person_id=1001,
    occasion="drug_exposure:5001",
    index_time=datetime(2025, 3, 5, 7, 30, tzinfo=UTC),
    valid_from=datetime(2025, 3, 5, 7, 30, tzinfo=UTC),
    valid_until=datetime(2025, 3, 8, 7, 30, tzinfo=UTC),
    category="DOSECOND",
    probability=0.853,
    severity="high",
    message="Dabigatran 150 mg deux fois par jour alors que la clairance de la créatinine est de 26 mL/min.",
    view_contract="v1",
    snapshot_id="2025-03-05T03",
    model_sha256="5b" * 32,
    visit_occurrence_id=3001,
    contributions=(
        Contribution(
            "creatinine_clearance_ml_min",
            "clairance de la créatinine (mL/min)",
            26.0,
            1.9,
            said="clairance de la créatinine à 26 mL/min",
        ),
        Contribution("age_years", "âge (ans)", 82.0, 0.4),
        Contribution("route", "voie d'administration", "orale", -0.05),
    ),
    evidence=(
        Evidence("drug_exposure", 5001, "dabigatran 150 mg, 2 par jour, depuis le 05/03/2025"),
        Evidence("measurement", 7001, "créatinine 165 µmol/L du 03/03/2025"),
    ),
)
INTERACTION = replace(
    RENAL_DOSE,
    person_id=1002,
    occasion="drug_exposure:5002",
    category="DRG",
    probability=0.62,
    severity="moderate",
    message="Tramadol et sertraline : risque de syndrome sérotoninergique.",
    contributions=(Contribution("interaction_level", "niveau d'interaction", "à prendre en compte", 1.1),),
    evidence=(
        Evidence("drug_exposure", 5002, "tramadol 50 mg"),
        Evidence("drug_exposure", 5003, "sertraline 50 mg"),
    ),
)

DAY = datetime(2025, 1, 14, 23, tzinfo=UTC)  # midnight in Paris
RESPIRATORY_PEAKS = Prediction(
    model="respiratory_peaks",
    model_version="1.0.0",
    person_id=None,
    occasion="2025-01-14",
    index_time=datetime(2025, 1, 14, 6, tzinfo=UTC),
    valid_from=DAY,
    valid_until=DAY + timedelta(days=3),
    category="peak",
    probability=0.71,
    severity=None,
    message="pic probable le 16/01/2025, deux jours après la hausse des particules fines.",
    view_contract="v1",
    snapshot_id="2025-01-14T03",
    model_sha256="a1" * 32,
    contributions=(
        Contribution("pm25_lag_2", "particules fines PM2,5 deux jours avant (µg/m³)", 46.0, 0.9),
        Contribution("temperature_min", "température minimale (°C)", -3.5, 0.4),
    ),
    cohort=Cohort("care_site:12", "Admissions pour BPCO ou asthme, CHU de démonstration", ("J44", "J45", "J46"), 12),
    forecasts=tuple(
        Forecast(
            DAY + timedelta(days=n), DAY + timedelta(days=n + 1), chance, count, Interval(low, high, 0.8), 14, usual
        )
        for n, (chance, count, low, high, usual) in enumerate(
            [(0.34, 11.8, 8, 16, 9.2), (0.71, 15.1, 11, 20, 9.4), (0.004, 6.2, 3, 9, 9.5)]
        )
    ),
)
SEPSIS_STEROIDS = Prediction(
    model="sepsis_steroids",
    model_version="1.0.0",
    person_id=1003,
    occasion="visit:3003",
    index_time=datetime(2025, 2, 10, 14, tzinfo=UTC),
    valid_from=datetime(2025, 2, 10, 14, tzinfo=UTC),
    valid_until=datetime(2025, 2, 13, 14, tzinfo=UTC),
    category="responder",
    probability=0.64,
    severity=None,
    message="profil proche des patients traités dont le choc a cédé en trois jours.",
    view_contract="v1",
    snapshot_id="2025-02-10T13",
    model_sha256="b2" * 32,
    visit_occurrence_id=3003,
    contributions=(
        Contribution("noradrenaline_ug_kg_min", "noradrénaline (µg/kg/min)", 0.42, 0.8, "log-odds"),
        Contribution("lactate", "lactate (mmol/L)", 3.1, -0.2),
    ),
    evidence=(
        Evidence("condition_occurrence", 8001, "choc septique du 10/02/2025"),
        Evidence("measurement", 7101, "lactate 3,1 mmol/L du 10/02/2025"),
        Evidence("drug_exposure", 5101, "noradrénaline, depuis le 10/02/2025"),
    ),
    interval=Interval(0.49, 0.77, 0.9),
)
ONCOLOGY_TIMELINE = Prediction(
    model="oncology_timeline",
    model_version="1.0.0",
    person_id=1004,
    occasion="note:9001",
    index_time=datetime(2025, 3, 20, 16, tzinfo=UTC),
    valid_from=datetime(2025, 3, 20, 16, tzinfo=UTC),
    valid_until=None,
    category="timeline",
    probability=0.87,
    severity=None,
    message="biopsie hépatique le 12/03/2024, métastase hépatique confirmée.",
    view_contract="v1",
    snapshot_id="2025-03-20T03",
    model_sha256="c3" * 32,
    visit_occurrence_id=3004,
    evidence=(Evidence("note", 9001, "compte rendu de consultation du 20/03/2025"),),
    document=Document(
        title="Chronologie d'un compte rendu d'oncologie",
        text="12/03/2024 : biopsie hépatique.\n20/03/2024 : métastase hépatique confirmée par l'anatomopathologie.",
        source=Evidence("note", 9001, "compte rendu de consultation du 20/03/2025"),
        source_sha256=hashlib.sha256("Biopsie hépatique le 12 mars 2024.".encode()).hexdigest(),
        loinc="34133-9",
        spans=(
            Span(0, 17, "biopsy", "2024-03-12", 0.94, evidence=Evidence("procedure_occurrence", 6001, "biopsie")),
            Span(35, 55, "metastasis", "hépatique", 0.88, evidence=Evidence("condition_occurrence", 8002, "métastase")),
        ),
    ),
)
HANDWRITING = Prediction(
    model="handwriting",
    model_version="1.0.0",
    person_id=1005,
    occasion="image_occurrence:4001",
    index_time=datetime(2025, 4, 2, 9, tzinfo=UTC),
    valid_from=datetime(2025, 4, 2, 9, tzinfo=UTC),
    valid_until=None,
    category="transcription",
    probability=0.74,
    severity=None,
    message="certificat transcrit ; une ligne à relire.",
    view_contract="v1",
    snapshot_id="2025-04-02T03",
    model_sha256="d4" * 32,
    document=Document(
        title="Volet médical d'un certificat de décès",
        text="Insuffisance respiratoire aiguë\nPneumopathie\n[illisible]",
        source=Evidence("image_occurrence", 4001, "certificat numérisé le 01/04/2025"),
        source_sha256=hashlib.sha256(b"image").hexdigest(),
        loinc="64297-5",
        spans=(
            Span(0, 31, "line", "Insuffisance respiratoire aiguë", 0.93),
            Span(32, 44, "line", "Pneumopathie", 0.81),
            Span(45, 56, "line", "", 0.31, refused=True),
        ),
    ),
)
