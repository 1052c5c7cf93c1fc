-- Drug orders (prescription lines). Grain: one row per row of drug_exposure of these types.
-- Not here: what was given (view drug_administrations) or dispensed. A stopped order existed: it is here, with its end.
WITH
-- 1. Sources.
exposure AS (
    SELECT drug_exposure_id, person_id, visit_occurrence_id, provider_id, drug_concept_id, drug_source_value,
        drug_source_concept_id, route_concept_id, route_source_value, drug_exposure_start_date,
        drug_exposure_start_datetime, drug_exposure_end_date, drug_exposure_end_datetime, quantity,
        dose_unit_source_value, sig
    FROM omop.drug_exposure
    -- 38000177: the old concept for the same fact, in databases of CDM 5.3.
    WHERE drug_type_concept_id IN (32838, 38000177)
),
named AS (SELECT concept_id, concept_name FROM steps.named),
atc AS (SELECT concept_id, atc_code FROM steps.atc),
substance AS (SELECT concept_id, atc_code FROM steps.substance),
-- 2. Steps.
ordered AS (
    SELECT drug_exposure_id, person_id, visit_occurrence_id, provider_id, drug_concept_id, drug_source_value,
        drug_source_concept_id, route_concept_id, route_source_value, drug_exposure_start_date, sig,
        coalesce(drug_exposure_start_datetime, CAST(drug_exposure_start_date AS timestamp)) AS started_at,
        -- The CDM requires an end date: one on the first day without a time of its own stands in for an end not known.
        CASE WHEN drug_exposure_end_datetime IS NOT NULL THEN drug_exposure_end_datetime
            WHEN drug_exposure_end_date > drug_exposure_start_date
            THEN CAST(drug_exposure_end_date AS timestamp) + INTERVAL 1 DAY END AS ended_at,
        -- Elsewhere a quantity without a unit counts packs or tablets dispensed: it is not a dose.
        CASE WHEN dose_unit_source_value IS NOT NULL THEN quantity END AS dose_value,
        dose_unit_source_value AS dose_unit,
        -- '3/24h 1000 mg PO': doses a day, then free text.
        CAST(nullif(regexp_extract(sig, '^([0-9]{1,6}([.][0-9]{1,6})?)/24h', 1), '') AS double) AS doses_per_day,
        coalesce(drug_exposure_start_datetime, CAST(drug_exposure_start_date AS timestamp) + INTERVAL 1 DAY)
            AS available_at
    FROM exposure
)
-- 3. Result.
SELECT
    ordered.drug_exposure_id,
    ordered.person_id,
    ordered.visit_occurrence_id,
    ordered.provider_id,
    ordered.drug_concept_id,
    named.concept_name,
    ordered.drug_source_value AS source_code,
    ordered.drug_source_concept_id AS source_concept_id,
    coalesce(atc.atc_code, substance.atc_code) AS atc_code,
    ordered.route_concept_id,
    ordered.route_source_value AS route_source,
    ordered.started_at,
    ordered.ended_at,
    ordered.dose_value,
    ordered.dose_unit,
    ordered.doses_per_day,
    ordered.dose_value * ordered.doses_per_day AS dose_per_day,
    ordered.sig,
    -- A reason for the order is looked for in the diagnoses known in this window.
    ordered.started_at - INTERVAL 365 DAYS AS indication_from,
    CASE WHEN ordered.ended_at > ordered.started_at THEN ordered.ended_at END AS indication_until,
    ordered.available_at
FROM ordered
LEFT JOIN named ON named.concept_id = ordered.drug_concept_id
LEFT JOIN atc ON atc.concept_id = ordered.drug_source_concept_id
LEFT JOIN substance ON substance.concept_id = ordered.drug_concept_id
