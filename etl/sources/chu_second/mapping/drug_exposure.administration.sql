-- Administrations by nurses → drug_exposure (type: EHR administration record). Grain: one row per planned gift.
-- What was not given, or refused, did not happen: excluded by name and counted. A dose in tablets or capsules is told in the
-- unit of their strength, as the formulary has it.
WITH
-- 1. Sources
administration AS (
    SELECT administration_id, ligne_id, ipp, nda, code_livret, realisee_le, etat, quantite, unite, voie FROM bronze.administrations
),
ligne AS (SELECT ligne_id, libelle FROM bronze.lignes),
livret AS (SELECT code_livret, libelle, dosage, unite_dosage FROM bronze.livret),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
-- 2. Steps
donnee AS (
    SELECT administration.administration_id, administration.ligne_id, administration.ipp, administration.nda,
        administration.code_livret, administration.realisee_le, administration.etat, administration.voie, administration.unite,
        livret.libelle, livret.unite_dosage, try_cast(replace(administration.quantite, ',', '.') AS double) AS quantite,
        CASE WHEN administration.unite IN ('cp', 'gél') THEN try_cast(replace(livret.dosage, ',', '.') AS double) END AS dosage
    FROM administration
    LEFT JOIN livret ON livret.code_livret = administration.code_livret
)
-- 3. Result. The package by the hospital's own number, else by the words of the order line.
SELECT
    donnee.administration_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, donnee.ipp) AS person_key,
    donnee.nda AS visit_key,
    donnee.code_livret AS drug_code, 'CHU2_LIVRET' AS drug_vocabulary,
    ligne.libelle AS drug_code_2, 'CHU2_LIBELLE' AS drug_vocabulary_2, coalesce(donnee.libelle, ligne.libelle) AS drug_label,
    donnee.realisee_le AS drug_exposure_start_datetime,
    donnee.realisee_le AS drug_exposure_end_datetime,
    donnee.quantite * coalesce(donnee.dosage, 1) AS quantity,
    CASE WHEN donnee.dosage IS NULL THEN donnee.unite ELSE donnee.unite_dosage END AS dose_unit_source_value,
    donnee.voie AS route_code, 'CHU2_VOIE' AS route_vocabulary,
    CASE donnee.etat WHEN 'N' THEN 'administration_not_done' WHEN 'F' THEN 'administration_refused' END AS _exclude
FROM donnee
LEFT JOIN ligne ON ligne.ligne_id = donnee.ligne_id
LEFT JOIN fusion ON fusion.ipp_absorbe = donnee.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
