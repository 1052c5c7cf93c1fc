-- Stays → visit_occurrence. Grain: one row per stay (numero_sejour).
WITH
-- 1. Sources
sejour AS (
    SELECT numero_sejour, ipp, type_sejour, entree, sortie, mode_entree, mode_sortie, uf_entree, praticien_id FROM bronze.sejour
),
-- 2. Steps
chaine AS (
    SELECT numero_sejour, ipp, type_sejour, entree, sortie, mode_entree, mode_sortie, uf_entree, praticien_id,
        lag(numero_sejour) OVER (PARTITION BY ipp ORDER BY entree, numero_sejour) AS precedent
    FROM sejour
)
-- 3. Result
SELECT
    chaine.numero_sejour AS _key,
    chaine.ipp AS person_key,
    chaine.type_sejour AS visit_code, 'CHU_SEJOUR' AS visit_vocabulary,
    chaine.entree AS visit_start_datetime,
    chaine.sortie AS visit_end_datetime,
    -- Stays that go on have no end; the CDM then wants the day of the extract (source_release_date). The datetime stays null.
    CASE WHEN chaine.sortie IS NULL THEN DATE '2025-01-01'
         ELSE CAST(from_utc_timestamp(chaine.sortie, 'Europe/Paris') AS date) END AS visit_end_date,
    chaine.mode_entree AS admitted_from_code, 'CHU_MODE' AS admitted_from_vocabulary,
    chaine.mode_sortie AS discharged_to_code, 'CHU_MODE' AS discharged_to_vocabulary,
    chaine.uf_entree AS care_site_key,
    chaine.praticien_id AS provider_key,
    chaine.precedent AS preceding_visit_key
FROM chaine
