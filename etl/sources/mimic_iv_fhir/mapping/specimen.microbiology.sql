-- Specimens of microbiology → specimen. Grain: one row per Specimen.
WITH
-- 1. Sources
sample AS (SELECT id, subject, code, display, collected_at, collected_on FROM bronze.specimen_micro),
test AS (SELECT specimen, measured_on FROM bronze.observation_micro_test),
-- 2. Steps
tested AS (SELECT specimen, min(measured_on) AS measured_on FROM test GROUP BY specimen)
-- 3. Result
SELECT
    sample.id AS _key, sample.subject AS person_key,
    -- 45 specimens have no time: the source knows the day, which its tests bear.
    coalesce(sample.collected_on, tested.measured_on) AS specimen_date, sample.collected_at AS specimen_datetime,
    sample.code AS specimen_code, 'mimiciv_micro_specimen' AS specimen_vocabulary, sample.display AS specimen_label
FROM sample
LEFT JOIN tested ON tested.specimen = sample.id
