-- Electronic medication administration record → drug_exposure. Grain: one row per emar row in which a drug was given.
-- The dose comes from the products of emar_detail, the product code from the order. Its detail rows are accounted
-- for by drug_exposure.administration_detail.sql, whose list of events must stay the same as here (a test compares
-- them).
WITH
-- 1. Sources
emar AS (
    SELECT emar_id, emar_seq, subject_id, hadm_id, poe_id, pharmacy_id, enter_provider_id, charttime, medication,
        trim(event_txt) AS event_txt  -- some events begin or end with a blank
    FROM bronze.emar
),
detail AS (
    SELECT emar_id, parent_field_ordinal, administration_type, dose_given, dose_given_unit, product_code,
        product_description, infusion_rate, infusion_rate_unit, route
    FROM bronze.emar_detail
),
prescription AS (
    SELECT pharmacy_id, poe_id, drug_type, drug, formulary_drug_cd, ndc, prod_strength, route FROM bronze.prescriptions
),
-- 2. Steps
head AS (
    SELECT emar_id, max(administration_type) AS administration_type, max(infusion_rate) AS infusion_rate,
        max(infusion_rate_unit) AS infusion_rate_unit, max(route) AS route
    FROM detail
    WHERE parent_field_ordinal IS NULL
    GROUP BY emar_id
),
line AS (
    SELECT emar_id, dose_given_unit, product_code, product_description, try_cast(dose_given AS double) AS dose,
        CASE WHEN dose_given IS NOT NULL AND try_cast(dose_given AS double) IS NULL THEN 1 ELSE 0 END AS is_text
    FROM detail
    WHERE parent_field_ordinal IS NOT NULL
),
scanned AS (
    -- Two tablets of one drug are two lines: their doses add up when all are numbers in one unit, else no number is
    -- given.
    SELECT emar_id,
        CASE WHEN sum(is_text) = 0 AND coalesce(min(dose_given_unit) = max(dose_given_unit), TRUE)
             THEN sum(dose) END AS dose,
        CASE WHEN min(dose_given_unit) = max(dose_given_unit) THEN max(dose_given_unit) END AS dose_unit,
        min(product_code) AS product_code, min(product_description) AS description,
        coalesce(max(dose), 0) > 0 AS some_given
    FROM line
    GROUP BY emar_id
),
ordered AS (
    SELECT pharmacy_id, poe_id, drug_type, formulary_drug_cd, drug, ndc, route,
        concat_ws(' ', trim(drug), trim(prod_strength)) AS product,
        row_number() OVER (PARTITION BY pharmacy_id, formulary_drug_cd ORDER BY drug_type, drug) AS of_code,
        row_number() OVER (PARTITION BY pharmacy_id, drug_type ORDER BY drug) AS of_order,
        row_number() OVER (PARTITION BY poe_id, drug_type ORDER BY pharmacy_id, drug) AS of_request,
        min(drug) OVER (PARTITION BY poe_id, drug_type) = max(drug) OVER (PARTITION BY poe_id, drug_type) AS one_drug
    FROM prescription
),
-- Three ways from an administration to the product that was ordered, the surest first: the order and the product that
-- was scanned, the order's main drug, the request when it leads to one drug only.
by_product AS (
    SELECT pharmacy_id, formulary_drug_cd, drug, ndc, route, product FROM ordered
    WHERE of_code = 1 AND formulary_drug_cd IS NOT NULL
),
by_order AS (
    SELECT pharmacy_id, drug, ndc, route, product FROM ordered WHERE of_order = 1 AND drug_type = 'MAIN'
),
by_request AS (
    SELECT poe_id, drug, ndc, route, product FROM ordered
    WHERE of_request = 1 AND drug_type = 'MAIN' AND one_drug AND poe_id IS NOT NULL
),
classed AS (
    SELECT emar_id, emar_seq, subject_id, hadm_id, poe_id, pharmacy_id, enter_provider_id, charttime, medication,
        event_txt,
        CASE
            WHEN event_txt IN (
                'Administered', 'Administered Bolus from IV Drip', 'Administered in Other Location',
                'Delayed Administered', 'Partial Administered',
                'Applied', 'Applied in Other Location', 'Removed Existing / Applied New',
                'Flushed', 'Flushed in Other Location', 'Delayed Flushed',
                'Started', 'Started in Other Location', 'Delayed Started', 'Restarted'
            ) THEN 'given'
            WHEN event_txt IN ('Not Given', 'Not Applied', 'Not Flushed', 'Not Started') THEN 'not_given'
            WHEN event_txt = 'Not Given per Sliding Scale' THEN 'not_given_per_sliding_scale'
            WHEN event_txt = 'Hold Dose' THEN 'dose_held'
            WHEN event_txt = 'Delayed' THEN 'dose_delayed'
            -- A nurse looked at an infusion that runs: nothing new is given.
            WHEN event_txt IN (
                'Confirmed', 'Confirmed in Other Location', 'Delayed Confirmed', 'Infusion Reconciliation',
                'Rate Change'
            ) THEN 'running_infusion_checked'
            WHEN event_txt IN ('Assessed', 'Delayed Assessed', 'Read') THEN 'patient_or_patch_assessed'
            WHEN event_txt IN (
                'Not Confirmed', 'Not Assessed', 'Not Removed', 'Not Stopped', 'Infusion Reconciliation Not Done'
            ) THEN 'check_not_done'
            WHEN event_txt IN (
                'Stopped', 'Stopped - Unscheduled', 'Stopped As Directed', 'Stopped in Other Location',
                'Stopped - Unscheduled in Other Location', 'Delayed Stopped', 'Removed'
            ) THEN 'end'
        END AS class,
        -- What runs until it is stopped or removed.
        event_txt IN (
            'Started', 'Started in Other Location', 'Delayed Started', 'Restarted',
            'Applied', 'Applied in Other Location', 'Removed Existing / Applied New'
        ) AS is_start
    FROM emar
),
edges AS (
    SELECT emar_id, subject_id, hadm_id, poe_id, pharmacy_id, enter_provider_id, charttime, medication, event_txt,
        class,
        is_start,
        min(CASE WHEN class = 'end' THEN charttime END) OVER (
            PARTITION BY poe_id ORDER BY charttime, emar_seq ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS next_end,
        min(CASE WHEN is_start THEN charttime END) OVER (
            PARTITION BY poe_id ORDER BY charttime, emar_seq ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS next_start,
        max(CASE WHEN class = 'end' THEN charttime END) OVER (
            PARTITION BY poe_id ORDER BY charttime, emar_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS last_end,
        max(CASE WHEN is_start THEN charttime END) OVER (
            PARTITION BY poe_id ORDER BY charttime, emar_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS last_start
    FROM classed
),
named AS (
    SELECT edges.emar_id, edges.subject_id, edges.hadm_id, edges.enter_provider_id, edges.charttime, edges.event_txt,
        -- A dose without an event (295 of 311 such rows): the product was scanned and its amount written, so it was given.
        CASE WHEN edges.event_txt IS NULL AND scanned.some_given THEN 'given' ELSE edges.class END AS class,
        CASE WHEN edges.is_start AND (edges.next_start IS NULL OR edges.next_end <= edges.next_start)
             THEN edges.next_end END AS ended_at,
        edges.last_start IS NOT NULL AND (edges.last_end IS NULL OR edges.last_start >= edges.last_end) AS ends_a_start,
        scanned.dose, scanned.dose_unit,
        coalesce(by_product.ndc, by_order.ndc, by_request.ndc) AS ndc,
        coalesce(by_product.product, by_order.product, by_request.product) AS product,
        trim(regexp_replace(
            coalesce(edges.medication, by_product.drug, by_order.drug, by_request.drug, scanned.description,
                head.administration_type),
            '[ ]+', ' ')) AS drug_name,
        coalesce(head.route, by_product.route, by_order.route, by_request.route) AS route,
        CASE WHEN head.infusion_rate IS NOT NULL
             THEN concat_ws(' ', head.infusion_rate, head.infusion_rate_unit) END AS rate
    FROM edges
    LEFT JOIN head ON head.emar_id = edges.emar_id
    LEFT JOIN scanned ON scanned.emar_id = edges.emar_id
    LEFT JOIN by_product
        ON by_product.pharmacy_id = edges.pharmacy_id AND by_product.formulary_drug_cd = scanned.product_code
    LEFT JOIN by_order ON by_order.pharmacy_id = edges.pharmacy_id
    LEFT JOIN by_request ON by_request.poe_id = edges.poe_id
),
coded AS (
    SELECT emar_id, subject_id, hadm_id, enter_provider_id, charttime, event_txt, class, ended_at, ends_a_start, dose,
        dose_unit, product, drug_name, route, rate,
        CASE WHEN trim(ndc) NOT IN ('0', '') THEN ndc END AS ndc
    FROM named
)
-- 3. Result
SELECT
    emar_id AS _key, subject_id AS person_key, hadm_id AS visit_key, enter_provider_id AS provider_key,
    charttime AS drug_exposure_start_datetime,
    ended_at AS drug_exposure_end_datetime,  -- when it was stopped or removed; a single dose has no end
    coalesce(ndc, product, drug_name) AS drug_code,
    CASE WHEN ndc IS NOT NULL THEN 'NDC' WHEN product IS NOT NULL THEN 'MIMIC_DRUG' ELSE 'MIMIC_DRUG_NAME' END
        AS drug_vocabulary,
    product AS drug_code_2, 'MIMIC_DRUG' AS drug_vocabulary_2,
    drug_name AS drug_code_3, 'MIMIC_DRUG_NAME' AS drug_vocabulary_3,
    drug_name AS drug_label,
    drug_name AS drug_source_value,  -- what the nurse saw; the code is the order's
    dose AS quantity, dose_unit AS dose_unit_source_value, rate AS sig,
    route AS route_code, 'mimiciv_drug_route' AS route_vocabulary,
    CASE WHEN class = 'end' AND ends_a_start THEN 'end_of_its_start' END AS _merge,
    CASE WHEN class = 'end' AND NOT ends_a_start THEN 'end_without_start'
         WHEN class NOT IN ('given', 'end') THEN class END AS _exclude,
    CASE WHEN class IS NULL AND event_txt IS NULL THEN 'no event and no dose'
         WHEN class IS NULL AND event_txt = 'in Other Location' THEN 'the event does not say what was done'
         WHEN class IS NULL THEN 'unknown event' END AS _quarantine
FROM coded
