-- Critical care in windows of 24 hours from the entry into the unit: parts of the SOFA score, vasopressors, steroids.
-- Grain: one row per passage through a critical care unit and window in which something became known.
-- A fact counts in the window in which it became known, so a window says nothing that was known after its end.
WITH
-- 1. Sources.
unit AS (
    SELECT visit_detail_id, person_id, visit_occurrence_id, kind, started_at, ended_at FROM views.stay_units
),
lab AS (SELECT person_id, quantity, value, unit, available_at FROM views.lab_results),
vital AS (SELECT person_id, sign, value, unit, measured_at, available_at FROM views.vital_signs),
given AS (SELECT person_id, atc_code, dose_value, dose_unit, available_at FROM views.drug_administrations),
expected AS (SELECT quantity, unit FROM knowledge.quantities),
steroid AS (SELECT atc_code, hydrocortisone_mg FROM knowledge.corticosteroids),
pressor AS (SELECT atc_code, strength FROM knowledge.vasopressors),
mass AS (SELECT written, mg FROM knowledge.dose_masses),
-- 2. Steps.
stay AS (
    SELECT visit_detail_id, person_id, visit_occurrence_id, started_at, ended_at
    FROM unit WHERE kind = 'critical care' AND started_at IS NOT NULL
),
known_unit AS (SELECT quantity, min(unit) AS unit FROM expected GROUP BY quantity),
pressure AS (
    -- A mean pressure that was not written is a third of the way from the diastolic to the systolic.
    SELECT person_id, measured_at, max(available_at) AS available_at,
        max(CASE WHEN sign = 'mean blood pressure' THEN value END) AS mean,
        max(CASE WHEN sign = 'systolic blood pressure' THEN value END) AS systolic,
        max(CASE WHEN sign = 'diastolic blood pressure' THEN value END) AS diastolic
    FROM vital
    WHERE unit = 'mm[Hg]'
    GROUP BY person_id, measured_at
),
fact AS (
    SELECT lab.person_id, lab.quantity AS what, lab.value, lab.available_at
    FROM lab
    JOIN known_unit ON known_unit.quantity = lab.quantity AND known_unit.unit = lab.unit
    WHERE lab.value IS NOT NULL
    UNION ALL
    SELECT vital.person_id, vital.sign AS what, vital.value, vital.available_at
    FROM vital
    JOIN known_unit ON known_unit.quantity = vital.sign AND known_unit.unit = vital.unit
    WHERE vital.value IS NOT NULL AND vital.sign <> 'mean blood pressure'
    UNION ALL
    SELECT person_id, 'mean blood pressure' AS what, coalesce(mean, (systolic + 2 * diastolic) / 3) AS value, available_at
    FROM pressure
    WHERE coalesce(mean, (systolic + 2 * diastolic) / 3) IS NOT NULL
    UNION ALL
    SELECT given.person_id, CASE WHEN pressor.strength = 2 THEN 'strong vasopressor' ELSE 'vasopressor' END AS what,
        1 AS value, given.available_at
    FROM given
    JOIN pressor ON pressor.atc_code = given.atc_code
    UNION ALL
    SELECT given.person_id, 'corticosteroid' AS what,
        given.dose_value * mass.mg * steroid.hydrocortisone_mg AS value, given.available_at
    FROM given
    JOIN steroid ON steroid.atc_code = given.atc_code
    LEFT JOIN mass ON mass.written = lower(replace(replace(given.dose_unit, 'µ', 'u'), 'μ', 'u'))
),
placed AS (
    SELECT stay.visit_detail_id, stay.person_id, stay.visit_occurrence_id, stay.started_at, fact.what, fact.value,
        fact.available_at, datediff(CAST(fact.available_at AS date), CAST(stay.started_at AS date)) AS days
    FROM stay
    JOIN fact ON fact.person_id = stay.person_id AND fact.available_at >= stay.started_at
        AND (stay.ended_at IS NULL OR fact.available_at <= stay.ended_at)
),
numbered AS (
    SELECT visit_detail_id, person_id, visit_occurrence_id, started_at, what, value,
        CASE WHEN dateadd(DAY, days, started_at) > available_at THEN days - 1 ELSE days END AS window_number
    FROM placed
),
worst AS (
    SELECT visit_detail_id, person_id, visit_occurrence_id, started_at, window_number,
        min(CASE WHEN what = 'arterial oxygen pressure' THEN value END) AS pao2_min,
        max(CASE WHEN what = 'inspired oxygen' THEN value END) AS fio2_max,
        min(CASE WHEN what = 'oxygen saturation' THEN value END) AS spo2_min,
        min(CASE WHEN what = 'platelets' THEN value END) AS platelets_min,
        max(CASE WHEN what = 'bilirubin' THEN value END) AS bilirubin_max,
        min(CASE WHEN what = 'mean blood pressure' THEN value END) AS mean_pressure_min,
        min(CASE WHEN what = 'coma scale' THEN value END) AS coma_scale_min,
        max(CASE WHEN what = 'creatinine' THEN value END) AS creatinine_max,
        sum(CASE WHEN what = 'urine output' THEN value END) AS urine_output,
        max(CASE WHEN what = 'lactate' THEN value END) AS lactate_max,
        count(CASE WHEN what = 'strong vasopressor' THEN 1 END) AS strong_vasopressors,
        count(CASE WHEN what = 'vasopressor' THEN 1 END) AS other_vasopressors,
        count(CASE WHEN what = 'corticosteroid' THEN 1 END) AS corticosteroids,
        sum(CASE WHEN what = 'corticosteroid' THEN value END) AS hydrocortisone_mg
    FROM numbered
    GROUP BY visit_detail_id, person_id, visit_occurrence_id, started_at, window_number
),
-- Points of Vincent 1996; the units are those of knowledge/quantities.csv.
scored AS (
    SELECT visit_detail_id, person_id, visit_occurrence_id, started_at, window_number, pao2_min, fio2_max, spo2_min,
        platelets_min, bilirubin_max, mean_pressure_min, coma_scale_min, creatinine_max, urine_output, lactate_max,
        strong_vasopressors, other_vasopressors, corticosteroids, hydrocortisone_mg,
        -- Three and four points need support of breathing, which oxygen above that of air stands for here.
        CASE WHEN pao2_min IS NULL OR fio2_max IS NULL OR fio2_max < 21 THEN NULL
            WHEN pao2_min * 100 / fio2_max < 100 AND fio2_max > 21 THEN 4
            WHEN pao2_min * 100 / fio2_max < 200 AND fio2_max > 21 THEN 3
            WHEN pao2_min * 100 / fio2_max < 300 THEN 2 WHEN pao2_min * 100 / fio2_max < 400 THEN 1 ELSE 0 END
            AS sofa_respiration,
        CASE WHEN platelets_min < 20 THEN 4 WHEN platelets_min < 50 THEN 3 WHEN platelets_min < 100 THEN 2
            WHEN platelets_min < 150 THEN 1 WHEN platelets_min IS NOT NULL THEN 0 END AS sofa_coagulation,
        CASE WHEN bilirubin_max > 204 THEN 4 WHEN bilirubin_max >= 102 THEN 3 WHEN bilirubin_max >= 33 THEN 2
            WHEN bilirubin_max >= 20 THEN 1 WHEN bilirubin_max IS NOT NULL THEN 0 END AS sofa_liver,
        -- The CDM has no rate of an infusion: four points, above 0.1 µg/kg/min, cannot be told from three.
        CASE WHEN strong_vasopressors > 0 THEN 3 WHEN other_vasopressors > 0 THEN 2
            WHEN mean_pressure_min < 70 THEN 1 WHEN mean_pressure_min IS NOT NULL THEN 0 END AS sofa_circulation,
        CASE WHEN coma_scale_min < 6 THEN 4 WHEN coma_scale_min < 10 THEN 3 WHEN coma_scale_min < 13 THEN 2
            WHEN coma_scale_min < 15 THEN 1 WHEN coma_scale_min IS NOT NULL THEN 0 END AS sofa_nervous_system,
        CASE WHEN creatinine_max > 440 OR urine_output < 200 THEN 4 WHEN creatinine_max >= 300 OR urine_output < 500 THEN 3
            WHEN creatinine_max >= 171 THEN 2 WHEN creatinine_max >= 110 THEN 1
            WHEN creatinine_max IS NOT NULL OR urine_output IS NOT NULL THEN 0 END AS sofa_kidney
    FROM worst
)
-- 3. Result.
SELECT
    visit_detail_id,
    window_number,
    person_id,
    visit_occurrence_id,
    dateadd(DAY, window_number, started_at) AS window_start,
    pao2_min,
    fio2_max,
    spo2_min,
    platelets_min,
    bilirubin_max,
    mean_pressure_min,
    coma_scale_min,
    creatinine_max,
    urine_output,
    lactate_max,
    sofa_respiration,
    sofa_coagulation,
    sofa_liver,
    sofa_circulation,
    sofa_nervous_system,
    sofa_kidney,
    CASE WHEN sofa_respiration IS NULL THEN 0 ELSE 1 END + CASE WHEN sofa_coagulation IS NULL THEN 0 ELSE 1 END
        + CASE WHEN sofa_liver IS NULL THEN 0 ELSE 1 END + CASE WHEN sofa_circulation IS NULL THEN 0 ELSE 1 END
        + CASE WHEN sofa_nervous_system IS NULL THEN 0 ELSE 1 END + CASE WHEN sofa_kidney IS NULL THEN 0 ELSE 1 END
        AS sofa_parts,
    coalesce(sofa_respiration, 0) + coalesce(sofa_coagulation, 0) + coalesce(sofa_liver, 0)
        + coalesce(sofa_circulation, 0) + coalesce(sofa_nervous_system, 0) + coalesce(sofa_kidney, 0) AS sofa_known,
    strong_vasopressors,
    other_vasopressors,
    corticosteroids,
    hydrocortisone_mg,
    dateadd(DAY, window_number + 1, started_at) AS available_at
FROM scored
