-- Tobacco, alcohol, other drugs, physical activity → observation. Grain: one row per answer, up to four a record.
-- The answers are free text, kept as it is after the pseudonymiser.
WITH
-- 1. Sources
style AS (
    SELECT style_vie_id, patient_id, date_recueil, consommation_tabac, consommation_alcool, consommation_autres_drogues,
        activite_physique
    FROM bronze.style_vie
),
-- 2. Steps
reponse AS (
    SELECT style_vie_id, patient_id, date_recueil, 'tabac' AS sujet, consommation_tabac AS reponse FROM style
    UNION ALL
    SELECT style_vie_id, patient_id, date_recueil, 'alcool', consommation_alcool FROM style
    UNION ALL
    SELECT style_vie_id, patient_id, date_recueil, 'autres_drogues', consommation_autres_drogues FROM style
    UNION ALL
    SELECT style_vie_id, patient_id, date_recueil, 'activite_physique', activite_physique FROM style
)
-- 3. Result
SELECT
    concat_ws('|', style_vie_id, sujet) AS _key, patient_id AS person_key, date_recueil AS observation_date,
    sujet AS observation_code, 'SOCLE_STYLE' AS observation_vocabulary,
    substring(reponse, 1, 60) AS value_as_string,
    CASE WHEN reponse IS NULL THEN 'no_answer' END AS _exclude
FROM reponse
