-- Specimens of microbiology and the cultures made of them → fact_relationship. Grain: one row per culture (test and isolate of a specimen).
-- The CDM wants a relation written both ways: the other way is fact_relationship.culture.sql.
WITH
-- 1. Sources
micro AS (
    SELECT microevent_id, subject_id, micro_specimen_id, test_seq, test_itemid, org_itemid, isolate_num
    FROM bronze.microbiologyevents
),
-- 2. Steps: the key of a culture is that of measurement.microbiology.sql.
keyed AS (
    SELECT microevent_id, subject_id, micro_specimen_id,
        concat_ws('|', CAST(micro_specimen_id AS string), test_itemid, CAST(test_seq AS string),
            coalesce(org_itemid, '-'), coalesce(CAST(isolate_num AS string), '-')) AS isolate_key
    FROM micro
),
numbered AS (
    SELECT microevent_id, subject_id, micro_specimen_id, isolate_key,
        min(microevent_id) OVER (PARTITION BY isolate_key) AS first_event_id
    FROM keyed
)
-- 3. Result. The antibiotics of an isolate point to their culture (measurement.susceptibility.sql), not to the specimen.
SELECT
    isolate_key AS _key, subject_id AS person_key,
    micro_specimen_id AS _event_key_1, isolate_key AS _event_key_2,
    'specimen_to_measurement' AS relationship_code, 'MIMIC_RELATION' AS relationship_vocabulary
FROM numbered
WHERE microevent_id = first_event_id
