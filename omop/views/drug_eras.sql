-- Drug eras. Grain: one row per row of drug_era.
WITH
-- 1. Sources.
era AS (
    SELECT drug_era_id, person_id, drug_concept_id, drug_era_start_date, drug_era_end_date, drug_exposure_count,
        gap_days
    FROM omop.drug_era
),
named AS (SELECT concept_id, concept_name FROM steps.named)
-- 3. Result.
SELECT
    era.drug_era_id,
    era.person_id,
    era.drug_concept_id,
    named.concept_name,
    era.drug_era_start_date AS started_on,
    era.drug_era_end_date AS ended_on,
    era.drug_exposure_count AS exposures,
    era.gap_days,
    -- The first exposure is known when its day is over.
    CAST(era.drug_era_start_date AS timestamp) + INTERVAL 1 DAY AS available_at,
    -- An exposure in the next 30 days would have prolonged the era.
    CAST(era.drug_era_end_date AS timestamp) + INTERVAL 31 DAYS AS closed_at
FROM era
LEFT JOIN named ON named.concept_id = era.drug_concept_id
