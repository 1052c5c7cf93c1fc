-- Order lines → drug_exposure (type: EHR prescription). Grain: one row per line (ligne_id).
-- A stopped line existed and is kept, ended at its stop; a cancelled one never did. An end before its start (4 % of the lines)
-- is dropped by the engine, never swapped; the day that was written stays in verbatim_end_date.
WITH
-- 1. Sources
prescription AS (
    SELECT ligne_id, ipp, numero_sejour, code_atc, libelle, dose, unite, frequence_jour, voie, debut, fin, prescripteur, statut
    FROM bronze.prescription
),
-- 2. Steps
posologie AS (
    SELECT ligne_id, ipp, numero_sejour, code_atc, libelle, dose, unite, voie, debut, fin, prescripteur, statut,
        -- '0,25' is a number; '1-2' and 'selon protocole' are not, and only the sig keeps them.
        try_cast(replace(dose, ',', '.') AS double) AS dose_par_prise,
        CASE WHEN frequence_jour IS NULL THEN NULL
             WHEN frequence_jour = floor(frequence_jour) THEN concat(CAST(CAST(frequence_jour AS bigint) AS string), '/24h')
             ELSE concat(CAST(CAST(frequence_jour AS decimal(8, 3)) AS string), '/24h') END AS rythme
    FROM prescription
)
-- 3. Result. The substance by its ATC code; where the line has none, or one that is no code, by the words of the line.
SELECT
    posologie.ligne_id AS _key,
    posologie.ipp AS person_key,
    posologie.numero_sejour AS visit_key,
    posologie.prescripteur AS provider_key,
    posologie.code_atc AS drug_code, 'ATC' AS drug_vocabulary,
    posologie.libelle AS drug_code_2, 'CHU_LIBELLE' AS drug_vocabulary_2, posologie.libelle AS drug_label,
    posologie.debut AS drug_exposure_start_datetime,
    posologie.fin AS drug_exposure_end_datetime,
    CAST(from_utc_timestamp(posologie.fin, 'Europe/Paris') AS date) AS verbatim_end_date,
    CASE WHEN posologie.statut = 'arretee' THEN 'arretee' END AS stop_reason,
    posologie.dose_par_prise AS quantity,
    posologie.unite AS dose_unit_source_value,
    concat_ws(' ', posologie.rythme, posologie.dose, posologie.unite, posologie.voie) AS sig,
    posologie.voie AS route_code, 'CHU_VOIE' AS route_vocabulary,
    CASE WHEN posologie.statut = 'annulee' THEN 'cancelled_order' END AS _exclude
FROM posologie
