-- Administrations by nurses → drug_exposure (type: EHR administration record). Grain: one row per planned gift.
-- What was not given, or refused, did not happen: excluded by name and counted.
WITH
-- 1. Sources
administration AS (
    SELECT administration_id, ipp, numero_sejour, code_atc, libelle, faite_le, statut, dose, unite, voie FROM bronze.administration
)
-- 2. Result. The substance by its ATC code, else by the words of the line.
SELECT
    administration.administration_id AS _key,
    administration.ipp AS person_key,
    administration.numero_sejour AS visit_key,
    administration.code_atc AS drug_code, 'ATC' AS drug_vocabulary,
    administration.libelle AS drug_code_2, 'CHU_LIBELLE' AS drug_vocabulary_2, administration.libelle AS drug_label,
    administration.faite_le AS drug_exposure_start_datetime,
    administration.faite_le AS drug_exposure_end_datetime,
    try_cast(replace(administration.dose, ',', '.') AS double) AS quantity,
    administration.unite AS dose_unit_source_value,
    administration.voie AS route_code, 'CHU_VOIE' AS route_vocabulary,
    CASE administration.statut WHEN 'non_faite' THEN 'administration_not_done' WHEN 'refusee' THEN 'administration_refused' END AS _exclude
FROM administration
