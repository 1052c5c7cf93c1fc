-- Second payer of a year of insurance → payer_plan_period of the same days. Grain: one row per year that has one.
WITH
-- 1. Sources
period AS (SELECT PATIENT, START_DATE, END_DATE, SECONDARY_PAYER, PLAN_OWNERSHIP FROM bronze.payer_transitions),
payer AS (SELECT Id, NAME FROM bronze.payers)
-- 3. Result
SELECT
    concat_ws('|', 'secondary', CAST(period.PATIENT AS string), CAST(unix_timestamp(period.START_DATE) AS string)) AS _key,
    period.PATIENT AS person_key,
    period.START_DATE AS payer_plan_period_start_datetime,
    date_sub(CAST(from_utc_timestamp(period.END_DATE, 'America/New_York') AS date), 1) AS payer_plan_period_end_date,
    payer.NAME AS payer_code, 'SYNTHEA_PAYER' AS payer_vocabulary,
    'secondary' AS plan_source_value, period.PLAN_OWNERSHIP AS sponsor_source_value
FROM period
LEFT JOIN payer ON payer.Id = period.SECONDARY_PAYER
WHERE period.SECONDARY_PAYER IS NOT NULL
