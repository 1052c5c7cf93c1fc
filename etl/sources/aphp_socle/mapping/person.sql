-- Patients → person. Grain: one row per patient.
-- Not here: race and ethnicity, which French law does not let a hospital record; INS, NIR, names and twin rank (crosswalk).
WITH
-- 1. Sources
patient AS (SELECT patient_id, date_naissance, sexe FROM bronze.patient),
adresse AS (
    SELECT patient_id, patient_adresse_id, code_iris, code_geographique_residence, date_recueil FROM bronze.patient_adresse
),
sejour AS (SELECT patient_id, date_debut_sejour, age_admission FROM bronze.donnees_pmsi),
-- 2. Steps
derniere AS (
    SELECT patient_id, coalesce(code_iris, code_geographique_residence) AS lieu,
        row_number() OVER (PARTITION BY patient_id ORDER BY date_recueil DESC, patient_adresse_id) AS rang
    FROM adresse
),
age AS (
    -- Item 2.1 of the socle: the age counts where there is no date of birth, and is often a year wrong.
    SELECT patient_id, max(year(date_debut_sejour) - age_admission) AS annee FROM sejour GROUP BY patient_id
)
-- 3. Result
SELECT
    patient.patient_id AS _key,
    patient.sexe AS gender_code, 'SOCLE_SEXE' AS gender_vocabulary,
    coalesce(year(patient.date_naissance), age.annee) AS year_of_birth,
    month(patient.date_naissance) AS month_of_birth, day(patient.date_naissance) AS day_of_birth,
    derniere.lieu AS location_key
FROM patient
LEFT JOIN derniere ON derniere.patient_id = patient.patient_id AND derniere.rang = 1
LEFT JOIN age ON age.patient_id = patient.patient_id
