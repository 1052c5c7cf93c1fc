-- Reviews of order lines by pharmacists → observation, tied to the line. Grain: one row per review (avis_id).
-- value_as_string: 'conforme', or 'intervention:' and the Act-IP problem class (1 to 10).
WITH
-- 1. Sources
avis AS (
    SELECT avis_id, ligne_id, ipp, numero_sejour, date_avis, pharmacien_id, avis, code_probleme, acceptee
    FROM bronze.avis_pharmaceutique
),
prescription AS (SELECT ligne_id, statut FROM bronze.prescription)
-- 2. Result
SELECT
    avis.avis_id AS _key,
    avis.ipp AS person_key,
    avis.numero_sejour AS visit_key,
    avis.pharmacien_id AS provider_key,
    'AVIS_PHARMACEUTIQUE' AS observation_code, 'CHU_OBSERVATION' AS observation_vocabulary,
    avis.date_avis AS observation_datetime,
    CASE WHEN avis.avis = 'intervention' THEN concat('intervention:', coalesce(CAST(avis.code_probleme AS string), '?'))
         ELSE avis.avis END AS value_as_string,
    CASE WHEN avis.acceptee THEN 'acceptee' WHEN NOT avis.acceptee THEN 'refusee' END AS qualifier_source_value,
    -- A cancelled line has no row in drug_exposure to point to.
    CASE WHEN prescription.statut <> 'annulee' THEN avis.ligne_id END AS _event_key
FROM avis
LEFT JOIN prescription ON prescription.ligne_id = avis.ligne_id
