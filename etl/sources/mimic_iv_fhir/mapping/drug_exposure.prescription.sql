-- Drug orders → drug_exposure. Grain: one row per product of an order: a mixture is the drug, then what it is in.
-- Stopped orders were orders: they stay, and end when they were stopped.
WITH
-- 1. Sources
request AS (
    SELECT id, subject, encounter, status, intent, not_to_give, medication, name, authored_at, authored_on, started_at,
        started_on, ended_at, ended_on, strength, dose, dose_unit, route, frequency
    FROM bronze.medication_request
),
ingredient AS (SELECT medication, element, item FROM bronze.medication_ingredient),
medication AS (SELECT id, ndc, formulary, name FROM bronze.medication),
dispense AS (SELECT request, frequency FROM bronze.medication_dispense),
-- 2. Steps
dispensed AS (SELECT request, min(frequency) AS frequency FROM dispense GROUP BY request),
product AS (
    SELECT request.id, request.subject, request.encounter, request.status, request.intent, request.not_to_give,
        request.name, request.authored_at, request.authored_on, request.started_at, request.started_on,
        request.ended_at, request.ended_on, request.strength, request.dose, request.dose_unit, request.route,
        coalesce(ingredient.item, request.medication) AS item, ingredient.element,
        coalesce(request.frequency, dispensed.frequency) AS frequency
    FROM request
    LEFT JOIN ingredient ON ingredient.medication = request.medication
    LEFT JOIN dispensed ON dispensed.request = request.id
),
named AS (
    SELECT product.id, product.subject, product.encounter, product.status, product.intent, product.not_to_give,
        product.authored_at, product.authored_on, product.started_at, product.started_on, product.ended_at,
        product.ended_on, product.strength, product.dose, product.dose_unit, product.route, product.element,
        product.frequency, medication.ndc, coalesce(medication.name, product.name, medication.formulary) AS name,
        upper(replace(split(product.frequency, ':')[0], ' ', '')) AS rhythm
    FROM product
    LEFT JOIN medication ON medication.id = product.item
),
timed AS (
    SELECT id, subject, encounter, status, intent, not_to_give, authored_at, authored_on, started_at, started_on,
        ended_at, ended_on, strength, dose, dose_unit, route, element, frequency, ndc, name,
        CASE WHEN rhythm IN ('DAILY', 'HS', 'QHS', 'QAM', 'QPM', 'BREAKFAST', 'LUNCH', 'DINNER', 'NOON', 'DAILY16')
             THEN 1
             WHEN rhythm = 'BID' THEN 2
             WHEN rhythm IN ('TID', 'TIDW/MEALS') THEN 3
             WHEN rhythm = 'QID' THEN 4
             WHEN rhythm IN ('Q1H', 'Q2H', 'Q3H', 'Q4H', 'Q6H', 'Q8H', 'Q12H', 'Q24H')
             THEN CAST(24 / try_cast(regexp_extract(rhythm, '([0-9]+)', 1) AS bigint) AS bigint)
        END AS per_day,
        concat_ws(' ', name, CASE WHEN element IS NULL THEN strength END) AS product
    FROM named
)
-- 3. Result
SELECT
    concat_ws('|', id, CAST(element AS string)) AS _key, subject AS person_key, encounter AS visit_key,
    -- 2,978 orders have no period (637 because they would end before they start): when they were written stands in.
    coalesce(started_at, authored_at) AS drug_exposure_start_datetime,
    coalesce(started_on, authored_on) AS drug_exposure_start_date,
    ended_at AS drug_exposure_end_datetime, ended_on AS drug_exposure_end_date, ended_on AS verbatim_end_date,
    coalesce(ndc, product) AS drug_code, CASE WHEN ndc IS NOT NULL THEN 'NDC' ELSE 'MIMIC_DRUG' END AS drug_vocabulary,
    product AS drug_code_2, 'MIMIC_DRUG' AS drug_vocabulary_2,
    name AS drug_code_3, 'MIMIC_DRUG_NAME' AS drug_vocabulary_3,
    product AS drug_label,
    -- The dose of a mixture is that of the drug in some orders, of the solution in others: it stays in sig.
    CASE WHEN element IS NULL THEN dose END AS quantity,
    CASE WHEN element IS NULL THEN dose_unit END AS dose_unit_source_value,
    concat_ws(' ', concat(CAST(per_day AS string), '/24h'), CAST(dose AS string), dose_unit, route, frequency,
        CASE WHEN element IS NOT NULL THEN concat('[product ', CAST(element + 1 AS string), ' of a mixture]') END
    ) AS sig,
    route AS route_code, 'mimiciv_drug_route' AS route_vocabulary,
    status AS stop_reason,
    CASE WHEN status IN ('cancelled', 'entered-in-error') THEN 'order_cancelled'
         WHEN status = 'draft' OR intent IN ('proposal', 'plan') THEN 'order_only_proposed'
         WHEN not_to_give THEN 'order_not_to_give' END AS _exclude
FROM timed
