-- Laboratory results → measurement. Grain: one row per result (labevent_id), with or without a stay.
-- Its specimen: specimen.lab.sql. Not here: the time of validation (storetime), for which the CDM has no place.
WITH
-- 1. Sources
lab AS (
    SELECT labevent_id, subject_id, hadm_id, order_provider_id, itemid, charttime, value, valuenum, valueuom,
        ref_range_lower, ref_range_upper, comments
    FROM bronze.labevents
),
item AS (SELECT itemid, label, fluid FROM bronze.d_labitems),
-- 2. Steps
read_value AS (
    SELECT labevent_id, subject_id, hadm_id, order_provider_id, itemid, charttime, value, valuenum, ref_range_lower,
        ref_range_upper,
        -- '___' is the mask of the de-identification: a mask is no unit and no result.
        CASE WHEN trim(valueuom) NOT IN ('', 'N/A', '___') THEN trim(valueuom) END AS unit,
        valueuom,
        -- A masked or empty value has its result in the comment ('NEG.'), or in valuenum.
        CASE WHEN value IS NOT NULL AND value <> '___' THEN value ELSE comments END AS result_text,
        nullif(regexp_extract(value, '^([<>]=?)', 1), '') AS operator
    FROM lab
),
words AS (
    SELECT labevent_id, upper(trim(regexp_replace(result_text, '[.* ]+$', ''))) AS word FROM read_value
)
-- 3. Result
SELECT
    read_value.labevent_id AS _key,
    read_value.subject_id AS person_key, read_value.hadm_id AS visit_key, read_value.order_provider_id AS provider_key,
    read_value.charttime AS measurement_datetime,  -- when drawn; the result is known about an hour later
    read_value.itemid AS measurement_code, 'mimiciv_meas_lab_loinc' AS measurement_vocabulary,
    concat_ws(', ', item.label, item.fluid) AS measurement_label,
    read_value.operator AS operator_code, 'MIMIC_OPERATOR' AS operator_vocabulary,
    -- valuenum has no number for '>300': sign and number are parted here. A range ('0-2') has no single number.
    coalesce(read_value.valuenum, try_cast(regexp_replace(read_value.value, '^[<>]=?[ ]*', '') AS double))
        AS value_as_number,
    -- Only these words are codes; anything else in a comment is free text.
    CASE WHEN read_value.valuenum IS NULL AND words.word IN ('NEG', 'NEGATIVE') THEN 'NEGATIVE'
         WHEN read_value.valuenum IS NULL AND words.word IN ('POS', 'POSITIVE') THEN 'POSITIVE' END AS value_as_code,
    'MIMIC_RESULT_WORD' AS value_as_vocabulary,
    CASE WHEN read_value.valuenum IS NOT NULL THEN read_value.value
         ELSE coalesce(read_value.result_text, read_value.value) END AS value_source_value,
    read_value.unit AS unit_code, 'mimiciv_meas_unit' AS unit_vocabulary,
    read_value.unit AS unit_code_2, 'UCUM' AS unit_vocabulary_2,
    read_value.valueuom AS unit_source_value,
    read_value.ref_range_lower AS range_low, read_value.ref_range_upper AS range_high
FROM read_value
LEFT JOIN words ON words.labevent_id = read_value.labevent_id
LEFT JOIN item ON item.itemid = read_value.itemid
