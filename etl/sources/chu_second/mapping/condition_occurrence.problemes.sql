-- The problem list → condition_occurrence (type: EHR problem list): chronic diseases, and the reason of an admission while it lasts.
-- Grain: one row per problem (probleme_id). Of no stay, so that it is known once it is written: what belongs to a stay is a
-- code of its discharge, which the view of diagnoses makes known when the stay ends.
WITH
-- 1. Sources
probleme AS (SELECT probleme_id, ipp, cim, intitule, constate_le, resolu_le FROM bronze.problemes),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result
SELECT
    probleme.probleme_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, probleme.ipp) AS person_key,
    probleme.cim AS condition_code, 'CIM10' AS condition_vocabulary, probleme.intitule AS condition_label,
    -- The list says when a disease was written, not when it began.
    probleme.constate_le AS condition_start_datetime,
    probleme.resolu_le AS condition_end_datetime
FROM probleme
LEFT JOIN fusion ON fusion.ipp_absorbe = probleme.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
