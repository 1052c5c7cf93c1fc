-- The problem list → condition_occurrence (type: EHR problem list): chronic diseases, and the reason of an admission while it lasts.
-- Grain: one row per problem (probleme_id). Of no stay, so that it is known once it is written: what belongs to a stay is a
-- code of its discharge, which the view of diagnoses makes known when the stay ends.
WITH
-- 1. Sources
probleme AS (SELECT probleme_id, ipp, code_cim10, libelle, saisi_le, clos_le FROM bronze.probleme)
-- 2. Result
SELECT
    probleme.probleme_id AS _key,
    probleme.ipp AS person_key,
    probleme.code_cim10 AS condition_code, 'CIM10' AS condition_vocabulary, probleme.libelle AS condition_label,
    -- The list says when a disease was written, not when it began.
    probleme.saisi_le AS condition_start_datetime,
    probleme.clos_le AS condition_end_datetime
FROM probleme
