-- Patients → person. Grain: one row per patient (subject_id).
WITH
-- 1. Sources
patient AS (SELECT subject_id, gender, anchor_age, anchor_year FROM bronze.patients),
stay AS (SELECT subject_id, hadm_id, admittime, race FROM bronze.admissions),
-- 2. Steps
told_race AS (
    SELECT subject_id, hadm_id, admittime, race,
        race NOT IN ('UNKNOWN', 'UNABLE TO OBTAIN', 'PATIENT DECLINED TO ANSWER') AS is_answer
    FROM stay
    WHERE race IS NOT NULL
),
ranked_race AS (
    -- Race is asked at each admission and differs between admissions of a few patients: the last real answer counts.
    SELECT subject_id, race, is_answer,
        row_number() OVER (
            PARTITION BY subject_id ORDER BY CASE WHEN is_answer THEN 0 ELSE 1 END, admittime DESC, hadm_id
        ) AS choice
    FROM told_race
),
last_race AS (
    SELECT subject_id, race, is_answer, race LIKE 'HISPANIC%' AS is_hispanic FROM ranked_race WHERE choice = 1
)
-- 3. Result
SELECT
    patient.subject_id AS _key,
    patient.gender AS gender_code, 'Gender' AS gender_vocabulary,
    -- Ages above 89 are all written 91: these years of birth are bounds, not facts.
    patient.anchor_year - patient.anchor_age AS year_of_birth,
    -- An unknown race is concept 0, not a concept of its own.
    CASE WHEN NOT last_race.is_hispanic AND last_race.is_answer THEN last_race.race END AS race_code,
    'mimiciv_per_ethnicity' AS race_vocabulary,
    -- 'WHITE - BRAZILIAN' and 'BLACK/CAPE VERDEAN' are kinds of what stands before.
    CASE WHEN last_race.race LIKE 'WHITE%' THEN 'WHITE'
         WHEN last_race.race LIKE 'BLACK%' THEN 'BLACK/AFRICAN AMERICAN'
         WHEN last_race.race LIKE 'ASIAN%' THEN 'ASIAN' END AS race_code_2,
    'mimiciv_per_ethnicity' AS race_vocabulary_2,
    last_race.race AS race_source_value,
    CASE WHEN last_race.is_hispanic THEN 'HISPANIC/LATINO' END AS ethnicity_code,
    'mimiciv_per_ethnicity' AS ethnicity_vocabulary,
    CASE WHEN last_race.is_hispanic THEN last_race.race END AS ethnicity_source_value
FROM patient
LEFT JOIN last_race ON last_race.subject_id = patient.subject_id
