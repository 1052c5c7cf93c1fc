-- Laboratory specimens and the results read on them → fact_relationship. Grain: one row per result that names its specimen.
-- The CDM wants a relation written both ways: the other way is fact_relationship.lab_result.sql.
WITH
-- 1. Sources
lab AS (SELECT labevent_id, subject_id, specimen_id FROM bronze.labevents)
-- 3. Result
SELECT
    labevent_id AS _key, subject_id AS person_key,
    specimen_id AS _event_key_1, labevent_id AS _event_key_2,
    'specimen_to_measurement' AS relationship_code, 'MIMIC_RELATION' AS relationship_vocabulary
FROM lab
WHERE specimen_id IS NOT NULL
