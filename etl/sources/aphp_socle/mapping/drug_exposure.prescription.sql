-- Orders → drug_exposure (type: EHR prescription). Grain: one row per posology of an order, one for an order without posology.
-- The posologies are accounted for by drug_exposure.posologie.sql.
WITH
-- 1. Sources
ordre AS (
    SELECT prescription_id, patient_id, prescripteur, denomination, code_atc, voie_administration, date_debut_prescription,
        date_fin_prescription
    FROM bronze.prescription
),
posologie AS (
    SELECT posologie_id, prescription_id, nombre_prises_par_jour, quantite, unite_quantite, date_heure_debut, date_heure_fin
    FROM bronze.posologie
),
sejour AS (SELECT pmsi_id, patient_id, date_debut_sejour, date_fin_sejour FROM bronze.donnees_pmsi),
-- 2. Steps
numerotee AS (
    SELECT prescription_id, posologie_id, nombre_prises_par_jour, quantite, unite_quantite, date_heure_debut, date_heure_fin,
        row_number() OVER (PARTITION BY prescription_id ORDER BY date_heure_debut, posologie_id) AS rang
    FROM posologie
),
dose AS (
    SELECT prescription_id, posologie_id, rang, quantite, unite_quantite, date_heure_debut, date_heure_fin,
        concat_ws(' ', concat(CAST(nombre_prises_par_jour AS string), '/24h'),
            regexp_replace(CAST(CAST(quantite AS decimal(18, 3)) AS string), '[.]?0+$', ''), unite_quantite) AS texte
    FROM numerotee
),
ligne AS (
    SELECT ordre.prescription_id, ordre.patient_id, ordre.prescripteur, ordre.denomination, ordre.code_atc,
        ordre.voie_administration, dose.quantite, dose.unite_quantite, dose.texte, dose.date_heure_debut, dose.date_heure_fin,
        -- The first posology bears the key of the order, to which administrations point.
        CASE WHEN dose.rang > 1 THEN concat_ws('|', ordre.prescription_id, dose.posologie_id) ELSE ordre.prescription_id END AS cle,
        coalesce(CAST(from_utc_timestamp(dose.date_heure_debut, 'Europe/Paris') AS date), ordre.date_debut_prescription) AS debut,
        coalesce(CAST(from_utc_timestamp(dose.date_heure_fin, 'Europe/Paris') AS date), ordre.date_fin_prescription) AS fin
    FROM ordre
    LEFT JOIN dose ON dose.prescription_id = ordre.prescription_id
),
rattache AS (
    SELECT ligne.cle, count(sejour.pmsi_id) AS sejours, min(sejour.pmsi_id) AS pmsi_id
    FROM ligne
    LEFT JOIN sejour ON sejour.patient_id = ligne.patient_id
        AND ligne.debut BETWEEN sejour.date_debut_sejour AND coalesce(sejour.date_fin_sejour, DATE '9999-12-31')
    GROUP BY ligne.cle
)
-- 3. Result
SELECT
    ligne.cle AS _key, ligne.patient_id AS person_key, ligne.prescripteur AS provider_key,
    CASE WHEN rattache.sejours = 1 THEN rattache.pmsi_id END AS visit_key,
    ligne.debut AS drug_exposure_start_date, ligne.date_heure_debut AS drug_exposure_start_datetime,
    ligne.fin AS drug_exposure_end_date, ligne.date_heure_fin AS drug_exposure_end_datetime, ligne.fin AS verbatim_end_date,
    ligne.code_atc AS drug_code, 'ATC' AS drug_vocabulary, ligne.denomination AS drug_label,
    ligne.quantite AS quantity, ligne.unite_quantite AS dose_unit_source_value, concat_ws(' ', ligne.texte, ligne.denomination) AS sig,
    ligne.voie_administration AS route_code, 'SOCLE_VOIE' AS route_vocabulary
FROM ligne
LEFT JOIN rattache ON rattache.cle = ligne.cle
