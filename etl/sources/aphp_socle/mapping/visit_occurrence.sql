-- PMSI stays → visit_occurrence. Grain: one row per stay. The socle has days, no times.
-- Not here: age on admission (see person.sql).
WITH
-- 1. Sources
sejour AS (
    SELECT pmsi_id, patient_id, date_debut_sejour, date_fin_sejour, mode_entree, mode_sortie, etablissement, service,
        unite_fonctionnelle
    FROM bronze.donnees_pmsi
),
-- 2. Steps
suivi AS (
    SELECT pmsi_id, patient_id, date_debut_sejour, date_fin_sejour, mode_entree, mode_sortie,
        nullif(concat_ws(' | ', etablissement, service, unite_fonctionnelle), '') AS unite,
        lag(pmsi_id) OVER (PARTITION BY patient_id ORDER BY date_debut_sejour, pmsi_id) AS precedent
    FROM sejour
)
-- 3. Result
SELECT
    pmsi_id AS _key, patient_id AS person_key, unite AS care_site_key, precedent AS preceding_visit_key,
    date_debut_sejour AS visit_start_date, date_fin_sejour AS visit_end_date,
    'IP' AS visit_code, 'Visit' AS visit_vocabulary,  -- the socle does not tell a day case from a stay
    -- '7' is a move between units on entry and a transfer on exit: two vocabularies.
    nullif(regexp_extract(mode_entree, '^ *([0-9])', 1), '') AS admitted_from_code,
    'SOCLE_MODE_ENTREE' AS admitted_from_vocabulary, mode_entree AS admitted_from_label,
    mode_entree AS admitted_from_source_value,
    nullif(regexp_extract(mode_sortie, '^ *([0-9])', 1), '') AS discharged_to_code,
    'SOCLE_MODE_SORTIE' AS discharged_to_vocabulary, mode_sortie AS discharged_to_label,
    mode_sortie AS discharged_to_source_value
FROM suivi
