-- Years of insurance → payer_plan_period. Grain: one row per patient and start. The second payer of a year is in
-- payer_plan_period.secondary.sql.
WITH
-- 1. Sources
period AS (SELECT PATIENT, START_DATE, END_DATE, PAYER, PLAN_OWNERSHIP FROM bronze.payer_transitions),
payer AS (SELECT Id, NAME, OWNERSHIP FROM bronze.payers)
-- 3. Result
SELECT
    concat_ws('|', CAST(period.PATIENT AS string), CAST(unix_timestamp(period.START_DATE) AS string)) AS _key,
    period.PATIENT AS person_key,
    period.START_DATE AS payer_plan_period_start_datetime,
    -- The next year begins at the instant of the end: the last day covered is the day before.
    date_sub(CAST(from_utc_timestamp(period.END_DATE, 'America/New_York') AS date), 1) AS payer_plan_period_end_date,
    payer.NAME AS payer_code, 'SYNTHEA_PAYER' AS payer_vocabulary,
    period.PLAN_OWNERSHIP AS sponsor_source_value,  -- Self, Guardian, Spouse
    CASE WHEN payer.OWNERSHIP = 'NO_INSURANCE' THEN 'year_without_insurance' END AS _exclude
FROM period
LEFT JOIN payer ON payer.Id = period.PAYER
