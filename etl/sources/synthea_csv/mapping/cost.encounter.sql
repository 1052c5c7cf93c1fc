-- What an encounter cost → cost. Grain: one row per encounter. The total holds the drugs and acts of the encounter: never add
-- it to cost.medication.sql or cost.immunization.sql.
WITH
-- 1. Sources
encounter AS (SELECT Id, PATIENT, START, PAYER, CODE, TOTAL_CLAIM_COST, PAYER_COVERAGE FROM bronze.encounters),
period AS (SELECT PATIENT, START_DATE, END_DATE, PAYER FROM bronze.payer_transitions),
-- 2. Steps
covered AS (
    SELECT encounter.Id, min(unix_timestamp(period.START_DATE)) AS period_start
    FROM encounter
    LEFT JOIN period ON period.PATIENT = encounter.PATIENT AND period.PAYER = encounter.PAYER
        AND period.START_DATE <= encounter.START AND encounter.START < period.END_DATE
    GROUP BY encounter.Id
)
-- 3. Result
SELECT
    encounter.Id AS _key, encounter.PATIENT AS person_key, encounter.Id AS _event_key,
    CASE WHEN covered.period_start IS NOT NULL
         THEN concat_ws('|', CAST(encounter.PATIENT AS string), CAST(covered.period_start AS string))
    END AS payer_plan_period_key,
    'USD' AS currency_code, 'Currency' AS currency_vocabulary,
    encounter.TOTAL_CLAIM_COST AS total_charge, encounter.PAYER_COVERAGE AS paid_by_payer,
    round(encounter.TOTAL_CLAIM_COST - encounter.PAYER_COVERAGE, 2) AS paid_by_patient,
    CASE WHEN encounter.CODE = '308646001' THEN 'death_certificate_is_no_visit' END AS _exclude
FROM encounter
LEFT JOIN covered ON covered.Id = encounter.Id
