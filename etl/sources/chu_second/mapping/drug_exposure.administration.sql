-- Administrations by nurses → drug_exposure (type: EHR administration record). Grain: one row per planned gift.
-- What was not given, or refused, did not happen: excluded by name and counted.
WITH
-- 1. Sources
administration AS (
    SELECT administration_id, ligne_id, ipp, nda, code_livret, realisee_le, etat, quantite, unite, voie FROM bronze.administrations
),
ligne AS (SELECT ligne_id, libelle FROM bronze.lignes),
livret AS (SELECT code_livret, libelle FROM bronze.livret),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result. The package by the hospital's own number, else by the words of the order line.
SELECT
    administration.administration_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, administration.ipp) AS person_key,
    administration.nda AS visit_key,
    administration.code_livret AS drug_code, 'CHU2_LIVRET' AS drug_vocabulary,
    ligne.libelle AS drug_code_2, 'CHU2_LIBELLE' AS drug_vocabulary_2, coalesce(livret.libelle, ligne.libelle) AS drug_label,
    administration.realisee_le AS drug_exposure_start_datetime,
    administration.realisee_le AS drug_exposure_end_datetime,
    try_cast(replace(administration.quantite, ',', '.') AS double) AS quantity,
    administration.unite AS dose_unit_source_value,
    administration.voie AS route_code, 'CHU2_VOIE' AS route_vocabulary,
    CASE administration.etat WHEN 'N' THEN 'administration_not_done' WHEN 'F' THEN 'administration_refused' END AS _exclude
FROM administration
LEFT JOIN ligne ON ligne.ligne_id = administration.ligne_id
LEFT JOIN livret ON livret.code_livret = administration.code_livret
LEFT JOIN fusion ON fusion.ipp_absorbe = administration.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
