-- What went into the patient in intensive care → drug_exposure, as administrations. Grain: one row per
-- MedicationAdministration, at one rate. The same drug may stand among those of the wards: the two records of one act
-- have no common key, so both are kept (see README, known losses).
WITH
-- 1. Sources
input AS (
    SELECT id, subject, encounter, status, code, display, given_at, given_on, started_at, started_on, ended_at,
        ended_on, method, dose, dose_unit, rate, rate_unit
    FROM bronze.medication_administration_icu
),
encounter AS (SELECT id, part_of FROM bronze.encounter),
-- 2. Steps
placed AS (
    SELECT id, coalesce(part_of, id) AS visit,
        CASE WHEN part_of IS NOT NULL THEN concat('encounter|', CAST(id AS string)) END AS visit_detail
    FROM encounter
)
-- 3. Result
SELECT
    input.id AS _key, input.subject AS person_key, placed.visit AS visit_key, placed.visit_detail AS visit_detail_key,
    coalesce(input.started_at, input.given_at) AS drug_exposure_start_datetime,
    coalesce(input.started_on, input.given_on) AS drug_exposure_start_date,
    input.ended_at AS drug_exposure_end_datetime, input.ended_on AS drug_exposure_end_date,
    input.code AS drug_code, 'MIMIC_INPUT_ITEM' AS drug_vocabulary, input.display AS drug_label,
    input.dose AS quantity, input.dose_unit AS dose_unit_source_value,
    CASE WHEN input.rate IS NOT NULL THEN concat_ws(' ', input.rate, input.rate_unit) END AS sig,
    -- The module has no route; the kind of order tells the vein from the rest.
    CASE WHEN input.method IN ('Continuous Med', 'Continuous IV') THEN 'IV DRIP' END AS route_code,
    'mimiciv_drug_route' AS route_vocabulary,
    input.method AS route_source_value,
    CASE WHEN input.status IN ('not-done', 'entered-in-error') THEN 'not_given'
         WHEN input.dose <= 0 THEN 'no_amount_given' END AS _exclude
FROM input
LEFT JOIN placed ON placed.id = input.encounter
