-- PMSI diagnoses → condition_occurrence; history and circumstances (Z) go to observation by their domain.
-- Grain: one row per diagnosis.
WITH
-- 1. Sources
diagnostic AS (
    SELECT diagnostic_id, patient_id, pmsi_id, code_diagnostic, type_diagnostic, libelle_diagnostic, date_recueil
    FROM bronze.diagnostics
),
sejour AS (SELECT pmsi_id, patient_id, date_debut_sejour FROM bronze.donnees_pmsi)
-- 3. Result
SELECT
    diagnostic.diagnostic_id AS _key, diagnostic.patient_id AS person_key, diagnostic.pmsi_id AS visit_key,
    coalesce(diagnostic.date_recueil, sejour.date_debut_sejour) AS condition_start_date,
    diagnostic.code_diagnostic AS condition_code, 'CIM10' AS condition_vocabulary,
    diagnostic.libelle_diagnostic AS condition_label,
    diagnostic.type_diagnostic AS condition_status_code, 'SOCLE_TYPE_DIAG' AS condition_status_vocabulary,
    CASE WHEN sejour.pmsi_id IS NULL THEN 'no such stay'
         WHEN sejour.patient_id <> diagnostic.patient_id THEN 'the stay of another patient' END AS _quarantine
FROM diagnostic
LEFT JOIN sejour ON sejour.pmsi_id = diagnostic.pmsi_id
