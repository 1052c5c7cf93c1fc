-- Reviews of prescription lines by pharmacists → observation, tied to the line. Grain: one row per review (avis_id).
-- value_as_string: 'conforme', or 'intervention:' and the Act-IP problem class (1 to 10), which the screen writes PB01 to PB10.
WITH
-- 1. Sources
avis AS (SELECT avis_id, ligne_id, redige_le, rpps_pharmacien, conclusion, motif_ip, issue FROM bronze.avis_pharma),
ligne AS (SELECT ligne_id, ordonnance_id, etat, supprime FROM bronze.lignes),
ordonnance AS (SELECT ordonnance_id, ipp, nda FROM bronze.ordonnances),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result
SELECT
    avis.avis_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, ordonnance.ipp) AS person_key,
    ordonnance.nda AS visit_key,
    avis.rpps_pharmacien AS provider_key,
    'AVIS_PHARMA' AS observation_code, 'CHU2_OBSERVATION' AS observation_vocabulary,
    avis.redige_le AS observation_datetime,
    CASE WHEN avis.conclusion = 'IP'
         THEN concat('intervention:', coalesce(CAST(try_cast(replace(avis.motif_ip, 'PB', '') AS int) AS string), '?'))
         WHEN avis.conclusion = 'VALIDE' THEN 'conforme'
         ELSE avis.conclusion END AS value_as_string,
    CASE avis.issue WHEN 'A' THEN 'acceptee' WHEN 'R' THEN 'refusee' END AS qualifier_source_value,
    -- A cancelled line has no row in drug_exposure to point to.
    CASE WHEN ligne.etat <> 'AN' AND ligne.supprime IS NULL THEN avis.ligne_id END AS _event_key,
    CASE WHEN ordonnance.ordonnance_id IS NULL THEN 'no such prescription, so no person' END AS _quarantine
FROM avis
LEFT JOIN ligne ON ligne.ligne_id = avis.ligne_id
LEFT JOIN ordonnance ON ordonnance.ordonnance_id = ligne.ordonnance_id
LEFT JOIN fusion ON fusion.ipp_absorbe = ordonnance.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
