-- Administrations on the wards → drug_exposure. Grain: one row per drug given at one time for one order; each tablet or
-- bag that was scanned is a MedicationAdministration, and their doses add up.
-- The status is always `completed`: what was done is in dosage.method.
WITH
-- 1. Sources
given AS (
    SELECT id, subject, encounter, status, request, system, code, given_at, given_on, method, dose, dose_unit
    FROM bronze.medication_administration
),
request AS (SELECT id, medication, name, route FROM bronze.medication_request),
ingredient AS (SELECT medication, item FROM bronze.medication_ingredient),
medication AS (SELECT id, ndc, formulary, name FROM bronze.medication),
-- 2. Steps
ordered AS (
    -- The products of an order: the one that it names, or those of its mixture.
    SELECT request.id AS request, medication.formulary, min(medication.ndc) AS ndc, min(medication.name) AS name
    FROM request
    LEFT JOIN ingredient ON ingredient.medication = request.medication
    LEFT JOIN medication ON medication.id = coalesce(ingredient.item, request.medication)
    GROUP BY request.id, medication.formulary
),
pharmacy AS (
    -- A code of the formulary is one product, of which several packages (NDC) may be known.
    SELECT formulary, min(ndc) AS ndc, min(name) AS name FROM medication WHERE formulary IS NOT NULL GROUP BY formulary
),
named AS (
    SELECT given.id, given.subject, given.encounter, given.status, given.request, given.code, given.given_at,
        given.given_on, given.method, given.dose, given.dose_unit, request.route,
        coalesce(ordered.ndc, pharmacy.ndc) AS ndc,
        CASE WHEN given.system = 'http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-medication-formulary-drug-cd'
             THEN coalesce(ordered.name, pharmacy.name) ELSE coalesce(given.code, request.name) END AS name,
        CASE
            WHEN given.status IN ('not-done', 'entered-in-error') THEN 'not_given'
            WHEN given.method IN ('Not Given', 'Not Flushed') THEN 'not_given'
            WHEN given.method = 'Not Given per Sliding Scale' THEN 'not_given_per_sliding_scale'
            WHEN given.method = 'Hold Dose' THEN 'dose_held'
            WHEN given.method = 'Confirmed' THEN 'running_infusion_checked'
            WHEN given.method = 'Stopped' THEN 'end_without_start'
            -- In the CSV of the same patients most of these confirm or stop an infusion; none has a dose.
            WHEN given.method IS NULL AND coalesce(given.dose, 0) <= 0 THEN 'neither_event_nor_dose'
        END AS why_not
    FROM given
    LEFT JOIN request ON request.id = given.request
    LEFT JOIN ordered ON ordered.request = given.request AND ordered.formulary = given.code
    LEFT JOIN pharmacy ON pharmacy.formulary = given.code
),
numbered AS (
    SELECT id, subject, encounter, code, given_at, given_on, method, dose_unit, route, ndc, name, why_not,
        row_number() OVER (PARTITION BY subject, request, code, dose_unit, given_at, why_not ORDER BY id) AS scan,
        sum(dose) OVER (PARTITION BY subject, request, code, dose_unit, given_at, why_not) AS dose
    FROM named
)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, encounter AS visit_key,
    given_at AS drug_exposure_start_datetime, given_on AS drug_exposure_start_date,
    coalesce(ndc, name, code) AS drug_code,
    CASE WHEN ndc IS NOT NULL THEN 'NDC' ELSE 'MIMIC_DRUG_NAME' END AS drug_vocabulary,
    name AS drug_code_2, 'MIMIC_DRUG_NAME' AS drug_vocabulary_2,
    name AS drug_label, code AS drug_source_value,
    dose AS quantity, dose_unit AS dose_unit_source_value,
    route AS route_code, 'mimiciv_drug_route' AS route_vocabulary,
    why_not AS _exclude,
    CASE WHEN why_not IS NULL AND scan > 1 THEN 'into_the_same_administration' END AS _merge
FROM numbered
