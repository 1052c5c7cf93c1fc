-- Stays → visit_occurrence. Grain: one row per stay (nda); stays opened by mistake are tombstones.
WITH
-- 1. Sources
sejour AS (
    SELECT nda, ipp, nature, entree, sortie, mode_entree, provenance, mode_sortie, um_entree, rpps_responsable, supprime
    FROM bronze.sejours
),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
-- 2. Steps
nomme AS (
    -- A stay entered under a number that another absorbed is a stay of the survivor.
    SELECT sejour.nda, coalesce(encore.ipp_survivant, fusion.ipp_survivant, sejour.ipp) AS personne, sejour.nature,
        sejour.entree, sejour.sortie, sejour.mode_entree, sejour.provenance, sejour.mode_sortie, sejour.um_entree,
        sejour.rpps_responsable, sejour.supprime
    FROM sejour
    LEFT JOIN fusion ON fusion.ipp_absorbe = sejour.ipp
    LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
),
chaine AS (
    SELECT nda, personne, nature, entree, sortie, mode_entree, provenance, mode_sortie, um_entree, rpps_responsable, supprime,
        CASE WHEN supprime IS NULL
             THEN lag(nda) OVER (PARTITION BY personne, supprime ORDER BY entree, nda) END AS precedent
    FROM nomme
)
-- 3. Result
SELECT
    chaine.nda AS _key,
    chaine.personne AS person_key,
    chaine.nature AS visit_code, 'CHU2_NATURE' AS visit_vocabulary,
    chaine.entree AS visit_start_datetime,
    chaine.sortie AS visit_end_datetime,
    -- Stays that go on have no end; the CDM then wants the day of the dump (source_release_date). The datetime stays null.
    CASE WHEN chaine.sortie IS NULL THEN greatest(DATE '2025-01-01', CAST(from_utc_timestamp(chaine.entree, 'Europe/Paris') AS date))
         ELSE CAST(from_utc_timestamp(chaine.sortie, 'Europe/Paris') AS date) END AS visit_end_date,
    CASE WHEN chaine.provenance = 'URG' THEN concat(chaine.mode_entree, '/', chaine.provenance)
         ELSE chaine.mode_entree END AS admitted_from_code, 'CHU2_MODE' AS admitted_from_vocabulary,
    chaine.mode_sortie AS discharged_to_code, 'CHU2_MODE' AS discharged_to_vocabulary,
    chaine.um_entree AS care_site_key,
    chaine.rpps_responsable AS provider_key,
    chaine.precedent AS preceding_visit_key,
    CASE WHEN chaine.supprime IS NOT NULL THEN 'deleted_in_source' END AS _exclude
FROM chaine
