-- Drug administrations. Grain: one row per row of drug_exposure of these types.
-- Not here: administrations planned and not given, which never enter the CDM.
WITH
-- 1. Sources.
exposure AS (
    SELECT drug_exposure_id, person_id, visit_occurrence_id, drug_concept_id, drug_source_value,
        drug_source_concept_id, route_concept_id, route_source_value, drug_exposure_start_date,
        drug_exposure_start_datetime, drug_exposure_end_date, drug_exposure_end_datetime, quantity,
        dose_unit_source_value
    FROM omop.drug_exposure
    -- 38000180: the old concept for the same fact, in databases of CDM 5.3.
    WHERE drug_type_concept_id IN (32818, 38000180)
),
named AS (SELECT concept_id, concept_name FROM steps.named),
atc AS (SELECT concept_id, atc_code FROM steps.atc),
substance AS (SELECT concept_id, atc_code FROM steps.substance)
-- 3. Result.
SELECT
    exposure.drug_exposure_id,
    exposure.person_id,
    exposure.visit_occurrence_id,
    exposure.drug_concept_id,
    named.concept_name,
    exposure.drug_source_value AS source_code,
    exposure.drug_source_concept_id AS source_concept_id,
    coalesce(atc.atc_code, substance.atc_code) AS atc_code,
    exposure.route_concept_id,
    exposure.route_source_value AS route_source,
    coalesce(exposure.drug_exposure_start_datetime, CAST(exposure.drug_exposure_start_date AS timestamp)) AS started_at,
    -- The CDM requires an end date: one on the first day without a time of its own stands in for an end not known.
    CASE WHEN exposure.drug_exposure_end_datetime IS NOT NULL THEN exposure.drug_exposure_end_datetime
        WHEN exposure.drug_exposure_end_date > exposure.drug_exposure_start_date
        THEN CAST(exposure.drug_exposure_end_date AS timestamp) + INTERVAL 1 DAY END AS ended_at,
    -- Elsewhere a quantity without a unit counts packs or tablets dispensed: it is not a dose.
    CASE WHEN exposure.dose_unit_source_value IS NOT NULL THEN exposure.quantity END AS dose_value,
    exposure.dose_unit_source_value AS dose_unit,
    coalesce(exposure.drug_exposure_start_datetime,
        CAST(exposure.drug_exposure_start_date AS timestamp) + INTERVAL 1 DAY) AS available_at
FROM exposure
LEFT JOIN named ON named.concept_id = exposure.drug_concept_id
LEFT JOIN atc ON atc.concept_id = exposure.drug_source_concept_id
LEFT JOIN substance ON substance.concept_id = exposure.drug_concept_id
