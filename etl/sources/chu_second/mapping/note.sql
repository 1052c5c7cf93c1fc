-- Letters → note. Grain: one row per letter (courrier_id). The text was pseudonymised at the door.
WITH
-- 1. Sources
courrier AS (SELECT courrier_id, ipp, nda, nature, objet, date_courrier, rpps_auteur, texte FROM bronze.courriers),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result. The file came in Windows-1252 with two signs a line end; what is here is UTF-8 with one.
SELECT
    courrier.courrier_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, courrier.ipp) AS person_key,
    courrier.nda AS visit_key,
    courrier.rpps_auteur AS provider_key,
    courrier.date_courrier AS note_datetime,
    courrier.nature AS note_class_code, 'CHU2_COURRIER' AS note_class_vocabulary,
    courrier.objet AS note_title,
    replace(courrier.texte, '\r\n', '\n') AS note_text,
    'UTF-8' AS encoding_code, 'CHU_ENCODAGE' AS encoding_vocabulary,
    'fr' AS language_code, 'CHU_LANGUE' AS language_vocabulary,
    courrier.nature AS note_source_value,
    CASE WHEN courrier.texte IS NULL THEN 'empty letter' END AS _quarantine
FROM courrier
LEFT JOIN fusion ON fusion.ipp_absorbe = courrier.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
