-- Antibiotic susceptibility → measurement. Grain: one row per antibiotic tested on an isolate; it points to the
-- culture that found the organism (measurement.microbiology.sql).
WITH
-- 1. Sources
micro AS (
    SELECT microevent_id, subject_id, hadm_id, micro_specimen_id, order_provider_id, chartdate, charttime, test_seq,
        test_itemid, org_itemid, isolate_num, ab_itemid, ab_name, dilution_text, dilution_comparison, dilution_value,
        interpretation
    FROM bronze.microbiologyevents
),
-- 2. Steps
keyed AS (
    SELECT microevent_id, subject_id, hadm_id, order_provider_id, chartdate, charttime, ab_itemid, ab_name,
        dilution_text,
        dilution_value, interpretation,
        -- The laboratory writes '=>' for 'at least'.
        CASE trim(dilution_comparison) WHEN '=>' THEN '>=' ELSE trim(dilution_comparison) END AS operator,
        concat_ws('|', CAST(micro_specimen_id AS string), test_itemid, CAST(test_seq AS string),
            coalesce(org_itemid, '-'), coalesce(CAST(isolate_num AS string), '-')) AS isolate_key
    FROM micro
)
-- 3. Result. Rows without an antibiotic are accounted for by measurement.microbiology.sql.
SELECT
    microevent_id AS _key, isolate_key AS _event_key,
    subject_id AS person_key, hadm_id AS visit_key, order_provider_id AS provider_key,
    CAST(chartdate AS date) AS measurement_date, charttime AS measurement_datetime,
    ab_itemid AS measurement_code, 'mimiciv_micro_antibiotic' AS measurement_vocabulary, ab_name AS measurement_label,
    operator AS operator_code, 'MIMIC_OPERATOR' AS operator_vocabulary,
    dilution_value AS value_as_number,  -- minimum inhibitory concentration; the source gives no unit
    interpretation AS value_as_code, 'mimiciv_micro_resistance' AS value_as_vocabulary,
    trim(concat_ws(' ', interpretation, dilution_text)) AS value_source_value
FROM keyed
WHERE ab_itemid IS NOT NULL
