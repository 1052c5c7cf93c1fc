-- Cultures and other microbiological tests → measurement. Grain: one row per test of a specimen and organism found
-- (isolate); a test without growth is one row. Its antibiotics: measurement.susceptibility.sql, which points here.
WITH
-- 1. Sources
micro AS (
    SELECT microevent_id, subject_id, hadm_id, micro_specimen_id, order_provider_id, chartdate, charttime, test_seq,
        test_itemid, test_name, org_itemid, org_name, isolate_num, comments
    FROM bronze.microbiologyevents
),
-- 2. Steps
keyed AS (
    SELECT microevent_id, subject_id, hadm_id, order_provider_id, chartdate, charttime, test_itemid, test_name,
        org_itemid,
        org_name, comments,
        concat_ws('|', CAST(micro_specimen_id AS string), test_itemid, CAST(test_seq AS string),
            coalesce(org_itemid, '-'), coalesce(CAST(isolate_num AS string), '-')) AS isolate_key
    FROM micro
),
numbered AS (
    -- The source repeats test and organism on the row of each antibiotic.
    SELECT microevent_id, subject_id, hadm_id, order_provider_id, chartdate, charttime, test_itemid, test_name,
        org_itemid,
        org_name, comments, isolate_key, min(microevent_id) OVER (PARTITION BY isolate_key) AS first_event_id
    FROM keyed
)
-- 3. Result. The other rows of an isolate are accounted for by measurement.susceptibility.sql.
SELECT
    isolate_key AS _key, subject_id AS person_key, hadm_id AS visit_key, order_provider_id AS provider_key,
    CAST(chartdate AS date) AS measurement_date, charttime AS measurement_datetime,
    test_itemid AS measurement_code, 'mimiciv_micro_microtest' AS measurement_vocabulary,
        test_name AS measurement_label,
    org_itemid AS value_as_code, 'mimiciv_micro_organism' AS value_as_vocabulary, org_name AS value_as_label,
    coalesce(org_name, comments) AS value_source_value
FROM numbered
WHERE microevent_id = first_event_id
