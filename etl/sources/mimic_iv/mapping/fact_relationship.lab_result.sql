-- Laboratory results and their specimen → fact_relationship. Grain: one row per result that names its specimen.
-- The CDM wants a relation written both ways: the other way is fact_relationship.lab_specimen.sql.
WITH
-- 1. Sources
lab AS (SELECT labevent_id, subject_id, specimen_id FROM bronze.labevents)
-- 3. Result
SELECT
    labevent_id AS _key, subject_id AS person_key,
    labevent_id AS _event_key_1, specimen_id AS _event_key_2,
    'measurement_to_specimen' AS relationship_code, 'MIMIC_RELATION' AS relationship_vocabulary
FROM lab
WHERE specimen_id IS NOT NULL
