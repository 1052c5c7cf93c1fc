-- Hospital stays → visit_occurrence. Grain: one row per stay (hadm_id).
-- Not here: emergency moves that led to no stay (54 rows of transfers, see visit_detail.sql).
WITH
-- 1. Sources
stay AS (
    SELECT hadm_id, subject_id, admittime, dischtime, admission_type, admit_provider_id, admission_location,
        discharge_location, edregtime
    FROM bronze.admissions
),
-- 2. Steps
ordered AS (
    SELECT hadm_id, subject_id, admittime, dischtime, admission_type, admit_provider_id, admission_location,
        discharge_location, edregtime,
        lag(hadm_id) OVER (PARTITION BY subject_id ORDER BY admittime, hadm_id) AS preceding_hadm_id,
        -- Observation is a stay without admission: the patient is an outpatient by law. 'OBSERVATION ADMIT' became
        -- a stay.
        admission_type IN ('EU OBSERVATION', 'DIRECT OBSERVATION', 'AMBULATORY OBSERVATION') AS is_observation
    FROM stay
)
-- 3. Result
SELECT
    hadm_id AS _key, subject_id AS person_key, admit_provider_id AS provider_key, 'hospital' AS care_site_key,
    preceding_hadm_id AS preceding_visit_key,
    admittime AS visit_start_datetime, dischtime AS visit_end_datetime,
    CASE WHEN is_observation THEN admission_type WHEN edregtime IS NOT NULL THEN 'ERIP' ELSE 'IP' END AS visit_code,
    CASE WHEN is_observation THEN 'mimiciv_vis_admission_type' ELSE 'Visit' END AS visit_vocabulary,
    -- A thin vocabulary may lack 'emergency then inpatient' and 'observation room': fall back on the general kind.
    CASE WHEN is_observation THEN 'OP' ELSE 'IP' END AS visit_code_2, 'Visit' AS visit_vocabulary_2,
    admission_type AS visit_label, admission_type AS visit_source_value,
    admission_location AS admitted_from_code, 'mimiciv_vis_admission_location' AS admitted_from_vocabulary,
    discharge_location AS discharged_to_code, 'mimiciv_vis_discharge_location' AS discharged_to_vocabulary
FROM ordered
