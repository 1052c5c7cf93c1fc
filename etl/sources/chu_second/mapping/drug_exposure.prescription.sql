-- Lines of prescriptions → drug_exposure (type: EHR prescription). Grain: one row per line (ligne_id).
-- A stopped line (AR) existed and is kept, ended at its stop; a cancelled one (AN, or a tombstone) never did. An end before
-- its start is dropped by the engine, never swapped; the day that was written stays in verbatim_end_date. A dose in tablets or
-- capsules is told in the unit of their strength, as the formulary has it; the sig keeps what was written.
WITH
-- 1. Sources
ligne AS (
    SELECT ligne_id, ordonnance_id, code_cip13, code_livret, libelle, dose, unite, rythme, voie, debut, fin, etat, supprime
    FROM bronze.lignes
),
ordonnance AS (SELECT ordonnance_id, ipp, nda, rpps_prescripteur FROM bronze.ordonnances),
rythme AS (SELECT rythme, prises_jour FROM bronze.rythmes),
livret AS (SELECT code_livret, dosage, unite_dosage FROM bronze.livret),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
-- 2. Steps
posologie AS (
    SELECT ligne.ligne_id, ligne.ordonnance_id, ligne.code_cip13, ligne.code_livret, ligne.libelle, ligne.dose, ligne.unite,
        ligne.voie, ligne.debut, ligne.fin, ligne.etat, ligne.supprime, ligne.rythme,
        -- '0,25' is a number; '1 ou 2' and 'cf. protocole' are not, and only the sig keeps them.
        try_cast(replace(ligne.dose, ',', '.') AS double) AS dose_par_prise,
        CASE WHEN ligne.unite IN ('cp', 'gél') THEN try_cast(replace(livret.dosage, ',', '.') AS double) END AS dosage,
        livret.unite_dosage,
        concat(replace(rythme.prises_jour, ',', '.'), '/24h') AS prises
    FROM ligne
    LEFT JOIN rythme ON rythme.rythme = ligne.rythme
    LEFT JOIN livret ON livret.code_livret = ligne.code_livret
)
-- 3. Result. The package by its CIP13; where the line has none, by the hospital's own number; else by the words of the line.
SELECT
    posologie.ligne_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, ordonnance.ipp) AS person_key,
    ordonnance.nda AS visit_key,
    ordonnance.rpps_prescripteur AS provider_key,
    coalesce(posologie.code_cip13, posologie.code_livret) AS drug_code,
    CASE WHEN posologie.code_cip13 IS NOT NULL THEN 'CHU2_CIP13' ELSE 'CHU2_LIVRET' END AS drug_vocabulary,
    posologie.libelle AS drug_code_2, 'CHU2_LIBELLE' AS drug_vocabulary_2, posologie.libelle AS drug_label,
    posologie.debut AS drug_exposure_start_datetime,
    posologie.fin AS drug_exposure_end_datetime,
    CAST(from_utc_timestamp(posologie.fin, 'Europe/Paris') AS date) AS verbatim_end_date,
    CASE WHEN posologie.etat = 'AR' THEN 'AR' END AS stop_reason,
    posologie.dose_par_prise * coalesce(posologie.dosage, 1) AS quantity,
    CASE WHEN posologie.dosage IS NULL THEN posologie.unite ELSE posologie.unite_dosage END AS dose_unit_source_value,
    concat_ws(' ', posologie.prises, posologie.dose, posologie.unite, posologie.rythme, posologie.voie) AS sig,
    posologie.voie AS route_code, 'CHU2_VOIE' AS route_vocabulary,
    CASE WHEN posologie.supprime IS NOT NULL THEN 'deleted_in_source'
         WHEN posologie.etat = 'AN' THEN 'cancelled_order' END AS _exclude,
    CASE WHEN ordonnance.ordonnance_id IS NULL THEN 'no such prescription, so no person' END AS _quarantine
FROM posologie
LEFT JOIN ordonnance ON ordonnance.ordonnance_id = posologie.ordonnance_id
LEFT JOIN fusion ON fusion.ipp_absorbe = ordonnance.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
