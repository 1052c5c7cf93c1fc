-- Bedside measures → measurement (type: EHR). Grain: one row per measure. The stay is found by the day, as for laboratory results.
WITH
-- 1. Sources
mesure AS (
    SELECT soin_id, patient_id, code_loinc, libelle_test, valeur, unite, valeur_code, valeur_texte, date_mesure, professionnel
    FROM bronze.dossier_soins
),
sejour AS (SELECT pmsi_id, patient_id, date_debut_sejour, date_fin_sejour FROM bronze.donnees_pmsi),
-- 2. Steps
rattache AS (
    SELECT mesure.soin_id, count(sejour.pmsi_id) AS sejours, min(sejour.pmsi_id) AS pmsi_id
    FROM mesure
    LEFT JOIN sejour ON sejour.patient_id = mesure.patient_id
        AND CAST(from_utc_timestamp(mesure.date_mesure, 'Europe/Paris') AS date)
            BETWEEN sejour.date_debut_sejour AND coalesce(sejour.date_fin_sejour, DATE '9999-12-31')
    GROUP BY mesure.soin_id
)
-- 3. Result
SELECT
    mesure.soin_id AS _key, mesure.patient_id AS person_key,
    CASE WHEN rattache.sejours = 1 THEN rattache.pmsi_id END AS visit_key,
    mesure.professionnel AS provider_key,
    mesure.date_mesure AS measurement_datetime,
    mesure.code_loinc AS measurement_code, 'LOINC' AS measurement_vocabulary, mesure.libelle_test AS measurement_label,
    mesure.valeur AS value_as_number,
    mesure.unite AS unit_code, 'SOCLE_UNITE' AS unit_vocabulary, mesure.unite AS unit_code_2, 'UCUM' AS unit_vocabulary_2,
    coalesce(mesure.valeur_texte, mesure.valeur_code,
        concat_ws(' ', regexp_replace(CAST(CAST(mesure.valeur AS decimal(18, 3)) AS string), '[.]?0+$', ''), mesure.unite)) AS value_source_value
FROM mesure
LEFT JOIN rattache ON rattache.soin_id = mesure.soin_id
