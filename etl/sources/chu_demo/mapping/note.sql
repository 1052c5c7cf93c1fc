-- Letters → note. Grain: one row per letter (document_id). The text was pseudonymised at the door.
WITH
-- 1. Sources
document AS (SELECT document_id, ipp, numero_sejour, type_document, titre, date_document, auteur_id, texte FROM bronze.document)
-- 2. Result
SELECT
    document.document_id AS _key,
    document.ipp AS person_key,
    document.numero_sejour AS visit_key,
    document.auteur_id AS provider_key,
    document.date_document AS note_datetime,
    document.type_document AS note_class_code, 'CHU_DOCUMENT' AS note_class_vocabulary,
    document.titre AS note_title,
    document.texte AS note_text,
    'UTF-8' AS encoding_code, 'CHU_ENCODAGE' AS encoding_vocabulary,
    'fr' AS language_code, 'CHU_LANGUE' AS language_vocabulary,
    document.type_document AS note_source_value,
    CASE WHEN document.texte IS NULL THEN 'empty letter' END AS _quarantine
FROM document
