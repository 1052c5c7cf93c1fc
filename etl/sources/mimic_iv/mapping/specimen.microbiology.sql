-- Specimens of microbiology → specimen. Grain: one row per specimen (micro_specimen_id), from its first row.
-- Specimens of the laboratory, numbered apart: specimen.lab.sql.
WITH
-- 1. Sources
micro AS (
    SELECT microevent_id, subject_id, micro_specimen_id, chartdate, charttime, spec_itemid, spec_type_desc
    FROM bronze.microbiologyevents
),
-- 2. Steps
numbered AS (
    SELECT microevent_id, subject_id, micro_specimen_id, chartdate, charttime, spec_itemid, spec_type_desc,
        min(microevent_id) OVER (PARTITION BY micro_specimen_id) AS first_event_id
    FROM micro
)
-- 3. Result. The other rows are accounted for by the two mappings of measurement.
SELECT
    micro_specimen_id AS _key, subject_id AS person_key,
    CAST(chartdate AS date) AS specimen_date, charttime AS specimen_datetime,
    spec_itemid AS specimen_code, 'mimiciv_micro_specimen' AS specimen_vocabulary, spec_type_desc AS specimen_label
FROM numbered
WHERE microevent_id = first_event_id
