-- Administrations → drug_exposure (type: EHR administration record). Grain: one row per administration, with or without an order.
-- Their order is in fact_relationship.sql.
WITH
-- 1. Sources
prise AS (
    SELECT administration_id, patient_id, denomination, code_atc, voie_administration, quantite, unite_quantite,
        date_heure_debut, date_heure_fin
    FROM bronze.administration
),
sejour AS (SELECT pmsi_id, patient_id, date_debut_sejour, date_fin_sejour FROM bronze.donnees_pmsi),
-- 2. Steps
rattache AS (
    SELECT prise.administration_id, count(sejour.pmsi_id) AS sejours, min(sejour.pmsi_id) AS pmsi_id
    FROM prise
    LEFT JOIN sejour ON sejour.patient_id = prise.patient_id
        AND CAST(from_utc_timestamp(prise.date_heure_debut, 'Europe/Paris') AS date)
            BETWEEN sejour.date_debut_sejour AND coalesce(sejour.date_fin_sejour, DATE '9999-12-31')
    GROUP BY prise.administration_id
)
-- 3. Result
SELECT
    prise.administration_id AS _key, prise.patient_id AS person_key,
    CASE WHEN rattache.sejours = 1 THEN rattache.pmsi_id END AS visit_key,
    prise.date_heure_debut AS drug_exposure_start_datetime, prise.date_heure_fin AS drug_exposure_end_datetime,
    prise.code_atc AS drug_code, 'ATC' AS drug_vocabulary, prise.denomination AS drug_label,
    prise.denomination AS sig,  -- the name that the nurse saw
    prise.quantite AS quantity, prise.unite_quantite AS dose_unit_source_value,
    prise.voie_administration AS route_code, 'SOCLE_VOIE' AS route_vocabulary
FROM prise
LEFT JOIN rattache ON rattache.administration_id = prise.administration_id
