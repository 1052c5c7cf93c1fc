-- What a prescription cost, all its dispensings together → cost. Grain: one row per prescription.
WITH
-- 1. Sources
medication AS (
    SELECT PATIENT, ENCOUNTER, START, STOP, CODE, PAYER, TOTALCOST, PAYER_COVERAGE FROM bronze.medications
),
period AS (SELECT PATIENT, START_DATE, END_DATE, PAYER FROM bronze.payer_transitions),
-- 2. Steps
keyed AS (
    SELECT PATIENT, START, PAYER, TOTALCOST, PAYER_COVERAGE,
        concat_ws('|', CAST(PATIENT AS string), CAST(ENCOUNTER AS string), CODE,
            CAST(unix_timestamp(START) AS string), coalesce(CAST(unix_timestamp(STOP) AS string), '')) AS medication_key
    FROM medication
),
covered AS (
    SELECT keyed.medication_key, min(unix_timestamp(period.START_DATE)) AS period_start
    FROM keyed
    LEFT JOIN period ON period.PATIENT = keyed.PATIENT AND period.PAYER = keyed.PAYER
        AND period.START_DATE <= keyed.START AND keyed.START < period.END_DATE
    GROUP BY keyed.medication_key
)
-- 3. Result
SELECT
    keyed.medication_key AS _key, keyed.PATIENT AS person_key, keyed.medication_key AS _event_key,
    CASE WHEN covered.period_start IS NOT NULL
         THEN concat_ws('|', CAST(keyed.PATIENT AS string), CAST(covered.period_start AS string))
    END AS payer_plan_period_key,
    'USD' AS currency_code, 'Currency' AS currency_vocabulary,
    keyed.TOTALCOST AS total_charge, keyed.PAYER_COVERAGE AS paid_by_payer,
    round(keyed.TOTALCOST - keyed.PAYER_COVERAGE, 2) AS paid_by_patient
FROM keyed
LEFT JOIN covered ON covered.medication_key = keyed.medication_key
