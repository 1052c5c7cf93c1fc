-- Laboratory results → measurement (type: Lab). Grain: one row per result. They carry no stay: one is given where a single stay of
-- the patient holds their day.
WITH
-- 1. Sources
resultat AS (
    SELECT biologie_id, patient_id, code_loinc, libelle_test, valeur, unite, valeur_texte, date_prelevement,
        upper(trim(statut_validation)) AS statut, borne_inf_normale, borne_sup_normale
    FROM bronze.biologie
),
sejour AS (SELECT pmsi_id, patient_id, date_debut_sejour, date_fin_sejour FROM bronze.donnees_pmsi),
-- 2. Steps
rattache AS (
    SELECT resultat.biologie_id, count(sejour.pmsi_id) AS sejours, min(sejour.pmsi_id) AS pmsi_id
    FROM resultat
    LEFT JOIN sejour ON sejour.patient_id = resultat.patient_id
        AND CAST(from_utc_timestamp(resultat.date_prelevement, 'Europe/Paris') AS date)
            BETWEEN sejour.date_debut_sejour AND coalesce(sejour.date_fin_sejour, DATE '9999-12-31')
    GROUP BY resultat.biologie_id
),
juste AS (
    -- A LOINC code carries a property: these pairs contradict their unit or their label. The label and the unit are what the
    -- laboratory read, so they choose the code; the code of the source stays in measurement_source_value. Rule of 2026-11-22.
    SELECT biologie_id,
        CASE WHEN code_loinc = '2160-0' AND unite = 'umol/L' THEN '14682-9'  -- creatinine, mass → moles
             WHEN code_loinc = '2339-0' AND unite = 'mmol/L' THEN '15074-8'  -- glucose in blood, mass → moles
             WHEN code_loinc = '2019-8' AND unite = 'mmol/L' THEN '20565-8'  -- partial pressure of CO2 → total CO2, moles
             WHEN code_loinc = '6598-7' AND lower(libelle_test) LIKE '%c-reactive%' THEN '1988-5'  -- troponin T → CRP
        END AS code
    FROM resultat
)
-- 3. Result
SELECT
    resultat.biologie_id AS _key, resultat.patient_id AS person_key,
    CASE WHEN rattache.sejours = 1 THEN rattache.pmsi_id END AS visit_key,
    resultat.date_prelevement AS measurement_datetime,
    coalesce(juste.code, resultat.code_loinc) AS measurement_code, 'LOINC' AS measurement_vocabulary,
    -- What the list of mapping gaps shows, with the code that was set right.
    CASE WHEN juste.code IS NULL THEN resultat.libelle_test
         ELSE concat(resultat.libelle_test, ', ', resultat.unite, ', written as ', resultat.code_loinc) END AS measurement_label,
    resultat.code_loinc AS measurement_source_value,
    resultat.valeur AS value_as_number,
    resultat.unite AS unit_code, 'SOCLE_UNITE' AS unit_vocabulary, resultat.unite AS unit_code_2, 'UCUM' AS unit_vocabulary_2,
    resultat.borne_inf_normale AS range_low, resultat.borne_sup_normale AS range_high,
    coalesce(resultat.valeur_texte, concat_ws(' ', regexp_replace(CAST(CAST(resultat.valeur AS decimal(18, 3)) AS string), '[.]?0+$', ''), resultat.unite))
        AS value_source_value,
    CASE WHEN resultat.statut = 'REJETE' THEN 'rejected_by_laboratory'
         WHEN resultat.statut IN ('EN_ATTENTE', 'EN_COURS') THEN 'not_validated_yet' END AS _exclude
FROM resultat
LEFT JOIN rattache ON rattache.biologie_id = resultat.biologie_id
LEFT JOIN juste ON juste.biologie_id = resultat.biologie_id
