-- Specimens of the laboratory → specimen. Grain: one row per specimen (specimen_id), from its first result; each has one fluid.
-- Specimens of microbiology, numbered apart: specimen.microbiology.sql.
WITH
-- 1. Sources
lab AS (SELECT labevent_id, subject_id, specimen_id, itemid, charttime FROM bronze.labevents),
item AS (SELECT itemid, fluid FROM bronze.d_labitems),
-- 2. Steps
numbered AS (
    SELECT labevent_id, subject_id, specimen_id, itemid, charttime,
        min(labevent_id) OVER (PARTITION BY specimen_id) AS first_event_id
    FROM lab
)
-- 3. Result. The other results are accounted for by measurement.lab.sql.
SELECT
    numbered.specimen_id AS _key, numbered.subject_id AS person_key, numbered.charttime AS specimen_datetime,
    item.fluid AS specimen_code, 'MIMIC_FLUID' AS specimen_vocabulary
FROM numbered
LEFT JOIN item ON item.itemid = numbered.itemid
WHERE numbered.labevent_id = numbered.first_event_id AND numbered.specimen_id IS NOT NULL
