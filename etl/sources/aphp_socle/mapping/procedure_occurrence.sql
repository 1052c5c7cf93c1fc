-- PMSI acts (CCAM) → procedure_occurrence. Grain: one row per act.
WITH
-- 1. Sources
acte AS (
    SELECT acte_id, patient_id, pmsi_id, code_acte, libelle_acte, date_acte, executant, date_recueil FROM bronze.actes
),
sejour AS (SELECT pmsi_id, patient_id FROM bronze.donnees_pmsi)
-- 3. Result
SELECT
    acte.acte_id AS _key, acte.patient_id AS person_key, acte.pmsi_id AS visit_key, acte.executant AS provider_key,
    coalesce(CAST(from_utc_timestamp(acte.date_acte, 'Europe/Paris') AS date), acte.date_recueil) AS procedure_date,
    acte.date_acte AS procedure_datetime,
    acte.code_acte AS procedure_code, 'CCAM' AS procedure_vocabulary, acte.libelle_acte AS procedure_label,
    CASE WHEN sejour.pmsi_id IS NULL THEN 'no such stay'
         WHEN sejour.patient_id <> acte.patient_id THEN 'the stay of another patient' END AS _quarantine
FROM acte
LEFT JOIN sejour ON sejour.pmsi_id = acte.pmsi_id
