-- Lines of the administration record (what was due, each product taken) → nothing of their own: their dose, rate,
-- route and product are in the row of drug_exposure.administration.sql. Grain: one row per emar_detail row, all
-- accounted for here.
WITH
-- 1. Sources
detail AS (SELECT emar_id, parent_field_ordinal, subject_id, dose_given FROM bronze.emar_detail),
emar AS (SELECT emar_id, charttime, trim(event_txt) AS event_txt FROM bronze.emar),
-- 2. Steps
dosed AS (
    SELECT emar_id, parent_field_ordinal, subject_id,
        coalesce(max(try_cast(dose_given AS double)) OVER (PARTITION BY emar_id), 0) > 0 AS some_given
    FROM detail
),
joined AS (
    SELECT dosed.emar_id, dosed.parent_field_ordinal, dosed.subject_id, emar.emar_id AS head_id, emar.charttime,
        CASE WHEN emar.event_txt IS NULL THEN dosed.some_given
             ELSE emar.event_txt IN (
                'Administered', 'Administered Bolus from IV Drip', 'Administered in Other Location',
                'Delayed Administered', 'Partial Administered',
                'Applied', 'Applied in Other Location', 'Removed Existing / Applied New',
                'Flushed', 'Flushed in Other Location', 'Delayed Flushed',
                'Started', 'Started in Other Location', 'Delayed Started', 'Restarted'
             ) END AS was_given
    FROM dosed
    LEFT JOIN emar ON emar.emar_id = dosed.emar_id
)
-- 3. Result
SELECT
    concat_ws('|', CAST(emar_id AS string), coalesce(parent_field_ordinal, 'head')) AS _key,
    subject_id AS person_key, charttime AS drug_exposure_start_datetime,
    CASE WHEN head_id IS NOT NULL AND was_given THEN 'into_its_administration' END AS _merge,
    CASE WHEN head_id IS NOT NULL AND NOT was_given THEN 'of_an_event_without_administration' END AS _exclude,
    CASE WHEN head_id IS NULL THEN 'no such administration' END AS _quarantine
FROM joined
