-- Drug orders → drug_exposure. Grain: one row per MedicationRequest. Stopped orders were orders: they stay; the export
-- does not say when they were stopped.
WITH
-- 1. Sources
request AS (
    SELECT id, subject, encounter, practitioner, status, intent, not_to_give, code, display, authored_at, dose,
        frequency, period, period_unit, as_needed
    FROM bronze.medication_request
),
-- 2. Steps
timed AS (
    SELECT id, subject, encounter, practitioner, status, intent, not_to_give, code, display, authored_at, dose,
        as_needed,
        CASE period_unit
            WHEN 'd' THEN frequency / nullif(period, 0)
            WHEN 'h' THEN 24 * frequency / nullif(period, 0)
        END AS per_day
    FROM request
)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, encounter AS visit_key, practitioner AS provider_key,
    authored_at AS drug_exposure_start_datetime,
    code AS drug_code, 'RxNorm' AS drug_vocabulary, display AS drug_label,
    dose AS quantity,  -- units of the product at each intake
    concat_ws(' ', CASE WHEN per_day = floor(per_day) THEN concat(CAST(CAST(per_day AS bigint) AS string), '/24h') END,
        CASE WHEN as_needed THEN 'PRN' END) AS sig,
    status AS stop_reason,
    CASE WHEN status IN ('cancelled', 'entered-in-error') THEN 'order_cancelled'
         WHEN status = 'draft' OR intent IN ('proposal', 'plan') THEN 'order_only_proposed'
         WHEN not_to_give THEN 'order_not_to_give' END AS _exclude
FROM timed
